import type { CommandRun } from '../program.ts'
import type { ServeFlags, ServiceName } from '../serve.ts'
import { openServiceDesk } from './desk.ts'
import { runServices } from './run-services.ts'

/** `obstream serve <service>`. */
export const serve: CommandRun<readonly [ServiceName, ServeFlags]> = async (session, name, flags) => {
  const { config, secrets } = session.loadConfig({ alertConfigPath: flags.alertConfig })
  const env = await openServiceDesk(session, config, session.logger(name, secrets))
  await runServices(session, env, [name], {
    onReady: (url) => session.terminal.note(`${name} runs; ${url}/readyz tells how it is`),
  })
  return undefined
}
