import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { listenHere } from './listen.ts'

/**
 * A router that is fast, then slow for a while, then fast again. The latencies are real: it answers when it answers, and
 * whoever asks measures.
 *
 * The rhythm counts from the start: with windows of ten seconds every slow phase touches four or five of them, enough
 * for a warning and a critical alert, and the quiet time after it is long enough to recover.
 */
const RHYTHM = { everyMs: 120_000, slowFromMs: 20_000, slowUntilMs: 60_000 } as const

/** Not faster: on a busy machine a probe's own delay would be too large a share, and the sample refused. */
const FAST_MS = 60
const SLOW_MS = 260
/** Answers differ a little, each by its number, so that the figures look like figures. */
const SPREAD_MS = 60

/** How long the answer number `count` takes, so many milliseconds after the start. */
export function answerDelayMs(sinceStartMs: number, count: number): number {
  const phaseMs = sinceStartMs % RHYTHM.everyMs
  const isSlow = phaseMs >= RHYTHM.slowFromMs && phaseMs < RHYTHM.slowUntilMs
  const spreadMs = (count * 37) % SPREAD_MS
  return isSlow ? SLOW_MS + spreadMs : FAST_MS + spreadMs / 4
}

export interface DemoRouter {
  /** What to ask: `http://127.0.0.1:<port>/ping`. */
  readonly url: string
  stop(): Promise<void>
}

/**
 * Starts the router on this machine only.
 *
 * @param port default 9000, as in `obstream.yaml` beside this file; 0 takes a free one
 * @throws OBS_HTTP_CANNOT_LISTEN when the port is taken
 */
export async function startRouter({ port = 9000 }: { readonly port?: number } = {}): Promise<DemoRouter> {
  const startedAtMs = performance.now()
  let count = 0
  const server = createServer(async (request, response) => {
    if (request.url !== '/ping') return void response.writeHead(404).end()
    await wait(answerDelayMs(performance.now() - startedAtMs, count++))
    response.writeHead(200, { 'content-type': 'text/plain' }).end('pong\n')
  })
  const { origin, stop } = await listenHere(server, port, 'the demo router')
  return { url: `${origin}/ping`, stop }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '9000' } } })
  const router = await startRouter({ port: Number(values.port) })
  console.log(`the demo router answers on ${router.url}; Ctrl-C ends it`)
}
