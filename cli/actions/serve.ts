import type { LoadedConfig } from '#lib/runtime/load-config.ts'
import type { CommandRun } from '../program.ts'
import type { ServeFlags, ServiceName } from '../serve.ts'
import { openServiceDesk } from './desk.ts'
import { runServices } from './run-services.ts'

/** `obstream serve <service>`. */
export const serve: CommandRun<readonly [ServiceName, ServeFlags]> = async (session, name, flags) => {
  const load = (): LoadedConfig => session.loadConfig({ alertConfigPath: flags.alertConfig, sends: name === 'alerter' })
  const env = await openServiceDesk(session, load().config, session.logger(name))
  await runServices(session, env, [name], {
    load,
    onReady: (url) => session.terminal.note(`${name} runs; ${url}/readyz tells how it is`),
  })
  return undefined
}
