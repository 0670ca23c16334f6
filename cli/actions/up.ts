import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Listening } from '#examples/router-demo/listen.ts'
import { demoVariables, opsSecrets, startReceivers } from '#examples/router-demo/receivers.ts'
import { startRouter } from '#examples/router-demo/router.ts'
import type { Alert } from '#lib/facts.ts'
import type { LoadedConfig } from '#lib/runtime/load-config.ts'
import { DEFAULT_ALERT_CONFIG_PATH, DEFAULT_CONFIG_PATH, loadConfig } from '#lib/runtime/load-config.ts'
import type { Part } from '#lib/runtime/shutdown.ts'
import { watchLog } from '../live-view.ts'
import type { CommandRun } from '../program.ts'
import { SERVICES } from '../serve.ts'
import { placesIn, type Session } from '../session.ts'
import type { UpFlags } from '../up.ts'
import { openServiceDesk, withoutNews } from './desk.ts'
import { runServices } from './run-services.ts'

const DEMO = fileURLToPath(new URL('../../examples/router-demo/', import.meta.url))
const DEMO_DATA = '.desk'

/** `obstream up`: all services, and what they do as lines for whoever watches. */
export const up: CommandRun<readonly [UpFlags]> = async (session, flags) => {
  const load = (): LoadedConfig =>
    flags.demo ? demoConfig(session) : session.loadConfig({ alertConfigPath: flags.alertConfig, sends: true })
  const { config, secrets } = load()
  const { terminal } = session
  const logger = session.logger('up', secrets)
  const env = await openServiceDesk(session, config, flags.demo ? withoutNews(logger) : logger)
  const watching = new AbortController()
  const view = (): Promise<void> =>
    watchLog(
      env,
      (line) => terminal.note(line),
      (alert) => flags.demo && explainNext(session, alert),
      watching.signal,
    )
  let viewed: Promise<void> = Promise.resolve()
  const beside: Part[] = [
    ...(flags.demo ? demoParts(session) : []),
    {
      name: 'view',
      start: () => {
        viewed = view()
      },
      stop: () => {
        watching.abort()
        return viewed
      },
    },
  ]
  await runServices(session, env, SERVICES, {
    load,
    beside,
    onReady: (url) =>
      terminal.note(flags.demo ? demoGreeting(url) : `obstream runs; ${url}/readyz tells how it is, Ctrl-C stops it`),
  })
  terminal.note('stopped; the next start goes on here')
  return undefined
}

/** The demo desk is a data directory like any other: its configuration is copied there once, and may be changed. */
function demoConfig({ context, dataDir, flags }: Session): LoadedConfig {
  const desk = resolve(dataDir, DEMO_DATA)
  copyOnce('obstream.yaml', join(desk, DEFAULT_CONFIG_PATH))
  copyOnce('latency_alert.yaml', join(desk, DEFAULT_ALERT_CONFIG_PATH))
  return loadConfig({ dataDir: desk, env: demoVariables(context.env), overrides: placesIn(flags), sends: true })
}

function copyOnce(name: string, to: string): void {
  if (existsSync(to)) return
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(join(DEMO, name), to)
}

/** The router that is watched, and the receivers that are told: they write their lines between those of the view. */
function demoParts({ context, terminal }: Session): readonly Part[] {
  const receiving = {
    secrets: opsSecrets(demoVariables(context.env)),
    print: (line: string) => terminal.note(line),
    now: () => context.clock.now(),
  }
  return [demoPart('router', startRouter), demoPart('receivers', () => startReceivers(receiving))]
}

function demoPart(name: string, start: () => Promise<Pick<Listening, 'stop'>>): Part {
  let running: Pick<Listening, 'stop'>
  return {
    name,
    start: async () => {
      running = await start()
    },
    stop: () => running.stop(),
  }
}

function demoGreeting(url: string): string {
  return `A demo router runs on this machine; obstream measures it every second and judges windows of ten seconds.
In about 20 seconds it becomes slow: watch a breach, then an alert open, escalate and, after a minute, resolve.
Two receivers are told, ops and chat, on this machine too: they print what they got, and whether its signature was right.
Health: ${url}/readyz   Metrics: ${url}/metrics   Ctrl-C stops, a second start goes on.
`
}

/** What to look at, once the story is over. */
function explainNext({ terminal }: Session, alert: Alert): void {
  if (alert.kind !== 'resolved') return
  terminal.note(`
That was one episode, from the first slow window to the recovery. It is on the log, with its evidence. Look further:
  npx obstream --data-dir ${DEMO_DATA} tail alert           every transition and why
  npx obstream --data-dir ${DEMO_DATA} explain ${alert.alertId}
                                                why it came, why not earlier, and who was told of it
  npx obstream --data-dir ${DEMO_DATA} tail window --json   the windows it rests on, with their hashes
  npx obstream --data-dir ${DEMO_DATA} status               how everything is now
Files in ${DEMO_DATA}/ops: signal_latency.csv, signal_latency_rollup.csv, automation_runs.log, latency_job_heartbeat.json
Stop this with Ctrl-C, delete ${DEMO_DATA}/ops, and get every byte back:
  npx obstream --data-dir ${DEMO_DATA} replay --to .
  npx obstream --data-dir ${DEMO_DATA} replay --check
`)
}
