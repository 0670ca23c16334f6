import { performance } from 'node:perf_hooks'
import { Client } from 'undici'
import type { HttpSource } from '#lib/config.ts'
import type { ProbeResult } from '../sample.ts'
import type { LagMeter } from './lag-meter.ts'

/** What a probe needs to know. Plain data: it goes to a worker thread. */
export type HttpTarget = Pick<HttpSource, 'url' | 'method' | 'headers' | 'timeoutMs' | 'expectedStatus'>

/** An answer that is longer is not read to its end: `http_body_too_large`. */
export const MAX_BODY_BYTES = 1_048_576

const MAX_HEADER_BYTES = 16_384
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{1,63}$/

/**
 * Probes a URL once. Never rejects.
 *
 * The latency begins just before the request and ends with the last byte of the body: half an answer is none. It holds
 * name look-up, connect, TLS handshake and request, for every probe has a connection of its own. Reused ones would make a
 * source probed every second look faster than one probed every 15 minutes, and a dead one would look like a fault of the
 * target. The limit holds for all of it. Redirects are not followed; 301 may be an expected status.
 *
 * Codes of failures: `http_status_<n>` · `http_malformed` (no HTTP) · `http_body_too_large` · the system's (`ECONNREFUSED`,
 * `ECONNRESET`, `ENOTFOUND`, …), TLS's or undici's (`UND_ERR_SOCKET`: closed without an answer) · `probe_failed` for any other.
 */
export async function probeHttp(target: HttpTarget, lagMeter: LagMeter): Promise<ProbeResult> {
  const reading = lagMeter.begin()
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(), target.timeoutMs)
  const startedMs = performance.now()
  const client = new Client(new URL(target.url).origin, {
    // The only limit is ours.
    connect: { timeout: 0 },
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: MAX_HEADER_BYTES,
    maxResponseSize: MAX_BODY_BYTES,
    pipelining: 0,
  })
  try {
    const status = await request(client, target, timeout.signal)
    const elapsedMs = performance.now() - startedMs
    const lagMs = reading.end()
    if (target.expectedStatus.includes(status)) return { kind: 'answered', elapsedMs, lagMs }
    return { kind: 'failed', errorCode: `http_status_${status}`, lagMs }
  } catch (error) {
    const lagMs = reading.end()
    return timeout.signal.aborted ? { kind: 'timed_out', lagMs } : { kind: 'failed', errorCode: codeOf(error), lagMs }
  } finally {
    clearTimeout(timer)
    void client.destroy().catch(() => {})
  }
}

async function request(client: Client, target: HttpTarget, signal: AbortSignal): Promise<number> {
  const { pathname, search } = new URL(target.url)
  const headers = { 'user-agent': 'obstream', ...target.headers }
  const { statusCode, body } = await client.request({ path: pathname + search, method: target.method, headers, signal })
  for await (const _chunk of body) {
    // Only its end matters.
  }
  return statusCode
}

/** The most telling code in an error, its causes and, when several addresses were tried, their errors. */
function codeOf(error: unknown): string {
  const { name, code, cause, errors } = Object(error) as Record<'name' | 'code' | 'cause', unknown> & {
    errors?: readonly unknown[]
  }
  for (const inner of [cause, errors?.[0]])
    if (inner !== undefined && codeOf(inner) !== UNKNOWN_CODE) return codeOf(inner)
  if (name === 'HTTPParserError') return 'http_malformed'
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return 'http_body_too_large'
  return typeof code === 'string' && SYSTEM_CODE.test(code) ? code : UNKNOWN_CODE
}

const UNKNOWN_CODE = 'probe_failed'
