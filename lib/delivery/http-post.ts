import dns from 'node:dns'
import type { LookupFunction } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { buildConnector, EnvHttpProxyAgent, Pool } from 'undici'
import { ObstreamError } from '#lib/errors.ts'
import type { Milliseconds } from '#lib/time.ts'
import type { AllowedHost } from './address-guard.ts'
import { HOW_TO_WRITE_A_HOST, isAllowed, parseAllowedHost, refusedAddress, urlTextRefusal } from './address-guard.ts'
import { describeFault, faultCode } from './transport-faults.ts'

export interface PostRequest {
  /** Secret: it is in no reason, error or log. */
  readonly url: string
  /** Names in lower case. `host`, `content-length` and `connection` are ours. */
  readonly headers: Readonly<Record<string, string>>
  /** Sent as its UTF-8 bytes, unchanged. */
  readonly body: string
}

/**
 * What is known after one attempt.
 *
 * - `answered`: a whole answer, of any status, or the first 64 KiB of a longer one.
 * - `not_sent`: certainly the receiver has not got the request: no name, a name that resolves to an address we may not connect
 *   to, no connection, no TLS, or given up before.
 * - `lost`: it may have got it, and there is no whole answer: reset, closed, no time left, or no HTTP.
 * - `forbidden`: not sent, by our own rules for what the URL or a header says; the same request will not be sent later either.
 */
export type PostAnswer =
  | {
      readonly kind: 'answered'
      readonly status: number
      /** The header as it came; several are joined by `, `. */
      readonly retryAfter: string | null
      /** Read as UTF-8; other bytes become U+FFFD. */
      readonly body: string
    }
  | { readonly kind: 'not_sent' | 'lost' | 'forbidden'; readonly reason: string }

export interface HttpPoster {
  /**
   * Sends a request once: nothing is repeated, no redirect followed.
   *
   * A connection that is free is used again, for as long as the receiver's `Keep-Alive` says, else for 4 s; every request
   * under way has its own, so the caller decides how many there are.
   *
   * @param signal gives up: `not_sent` before the first byte, `lost` after it
   * @returns always; never rejects
   */
  post(request: PostRequest, signal?: AbortSignal): Promise<PostAnswer>
  /**
   * Lets requests under way end, which their own time-out bounds, then closes: what is posted after the last of them is
   * `not_sent`. May be called again, and overtaken by `close`.
   */
  retire(): Promise<void>
  /** Closes all connections at once; requests under way are `lost` or `not_sent`. May be called again. */
  close(): Promise<void>
}

export interface HttpPosterOptions {
  /** For all of it, from the look-up of the name to the last byte of the answer; default 15 s. */
  readonly timeoutMs?: Milliseconds
  /** `delivery.allow_hosts`, see `parseAllowedHost`: plain HTTP and addresses that are not public only here. */
  readonly allowHosts: readonly string[]
  /**
   * Where `HTTPS_PROXY`, `HTTP_PROXY` (for https too, when the former is missing) and `NO_PROXY` stand, or the same in lower
   * case, which comes first. Only proxies that speak HTTP.
   */
  readonly env: Readonly<Record<string, string | undefined>>
}

const DEFAULT_TIMEOUT_MS = 15_000
const MAX_BODY_BYTES = 65_536
const MAX_HEADER_BYTES = 16_384
const GIVEN_UP = 'the sender gave up'

/**
 * Opens what posts to receivers outside: HTTP/1.1 (what a connection that breaks leaves behind is clear there: one request), over
 * TLS unless the host is allowed.
 *
 * Addresses are checked when a connection is made, on the very list that it then takes its address from, so a name that changes
 * its mind between check and connect gains nothing; one bad address among good ones refuses the name. Through a proxy it is the
 * proxy that resolves names: then only literal addresses are checked, and keeping us out of the private network is its task.
 * The connection to the proxy itself is not checked.
 *
 * @throws OBS_CONFIG_INVALID for an allowed host or a proxy that cannot be read
 */
export function openHttpPoster(options: HttpPosterOptions): HttpPoster {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const allowed = options.allowHosts.map(readAllowedHost)
  const closing = new AbortController()
  const agent = openAgent({ allowed, timeoutMs, env: options.env, signal: closing.signal })
  const running = new Set<Promise<PostAnswer>>()
  const close = async (): Promise<void> => {
    const destroyed = agent.destroy()
    closing.abort()
    await destroyed
  }
  return {
    async post(request, signal) {
      const refusal = urlTextRefusal(request.url, allowed)
      if (refusal !== null) return { kind: 'forbidden', reason: refusal }
      const url = new URL(request.url)
      if (signal?.aborted) return { kind: 'not_sent', reason: GIVEN_UP }
      const exchange = new Exchange(timeoutMs, signal)
      running.add(exchange.answer)
      agent.dispatch(
        {
          origin: url.origin,
          path: url.pathname + url.search,
          method: 'POST',
          headers: { 'user-agent': 'obstream', ...request.headers },
          body: request.body,
        },
        exchange,
      )
      const answer = await exchange.answer
      running.delete(exchange.answer)
      // undici frees a connection one turn of the loop after the answer; a request sent before would open another one.
      await nextTurn()
      return answer
    },
    async retire() {
      while (running.size > 0) await Promise.all(running)
      await close()
    },
    close,
  }
}

function readAllowedHost(entry: string): AllowedHost {
  const host = parseAllowedHost(entry)
  if (host === null)
    throw new ObstreamError(
      'OBS_CONFIG_INVALID',
      `delivery.allow_hosts: ${JSON.stringify(entry)} is no host; ${HOW_TO_WRITE_A_HOST}`,
    )
  return host
}

interface AgentOptions {
  readonly allowed: readonly AllowedHost[]
  readonly timeoutMs: Milliseconds
  readonly env: HttpPosterOptions['env']
  /** Ends connections, those that are still being made among them: undici's `destroy` forgets these. */
  readonly signal: AbortSignal
}

function openAgent({ allowed, timeoutMs, env, signal }: AgentOptions): EnvHttpProxyAgent {
  const variable = (name: string): string => env[name.toLowerCase()] ?? env[name] ?? ''
  const [httpProxy, httpsProxy] = [variable('HTTP_PROXY'), variable('HTTPS_PROXY')]
  const unreadable = new ObstreamError(
    'OBS_CONFIG_INVALID',
    'HTTPS_PROXY or HTTP_PROXY is not the URL of a proxy; write http://host:port or http://user:password@host:port, with %25 for % in it',
  )
  // undici takes SOCKS, too, but what it would connect to is nothing that we check.
  if (![httpProxy, httpsProxy].every((proxy) => proxy === '' || /^https?:\/\//i.test(proxy))) throw unreadable
  try {
    return new EnvHttpProxyAgent({
      // An empty text keeps undici from looking into the environment of the process.
      ...{ httpProxy, httpsProxy, noProxy: variable('NO_PROXY') },
      // With autoSelectFamily, whatever Node's flags say, a look-up always asks for all addresses.
      connect: guardedConnector(allowed, { allowH2: false, timeout: timeoutMs, autoSelectFamily: true, signal }),
      proxyTls: { timeout: timeoutMs, signal },
      connectTimeout: timeoutMs,
      clientFactory: (origin, proxyOptions) => new Pool(origin, { ...proxyOptions, headersTimeout: timeoutMs }),
      allowH2: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      // The exchange has its own limit for all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  } catch {
    // Its cause would hold the proxy's password.
    throw unreadable
  }
}

/** A name that resolves to an address which is not public. */
class AddressRefused extends Error {
  override readonly name = 'AddressRefused'

  constructor(hostname: string, address: string) {
    super(`the name ${hostname} resolves to ${address}; if it is meant to, name it under delivery.allow_hosts`)
  }
}

/** Literal addresses never reach the look-up; `urlRefusal` has seen them. */
function guardedConnector(
  allowed: readonly AllowedHost[],
  settings: buildConnector.BuildOptions,
): buildConnector.connector {
  const free = buildConnector(settings)
  const guarded = buildConnector({ ...settings, lookup: lookUpPublic })
  return (target, callback) => (isAllowed(allowed, target) ? free : guarded)(target, callback)
}

const lookUpPublic: LookupFunction = (hostname, options, callback) => {
  dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, [])
    for (const { address } of addresses) {
      const refused = refusedAddress(address)
      if (refused !== null) return callback(new AddressRefused(hostname, `${address}, ${refused}`), [])
    }
    callback(null, addresses)
  })
}

/**
 * One request and its answer. A handler of undici's `dispatch`, because only `onRequestStart`, called directly before the first
 * byte is written, tells a request that was never sent from one whose answer was lost.
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly answer: Promise<PostAnswer>
  readonly #resolve: (answer: PostAnswer) => void
  #isSettled = false
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #retryAfter: string | null = null
  readonly #body: Buffer[] = []
  #bodyBytes = 0

  constructor(timeoutMs: Milliseconds, signal: AbortSignal | undefined) {
    const { promise, resolve } = Promise.withResolvers<PostAnswer>()
    this.#resolve = resolve
    const onAbort = (): void => this.#giveUp(GIVEN_UP)
    const timer = setTimeout(() => this.#giveUp(`no whole answer within ${timeoutMs} ms`), timeoutMs)
    signal?.addEventListener('abort', onAbort)
    this.answer = promise.finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    })
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // A connection that came too late: undici cannot take a request out of its queue before.
    if (this.#isSettled) controller.abort(new Error('given up'))
  }

  onResponseStart(_: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    // 102 and 103 come before the answer.
    if (status < 200) return
    this.#status = status
    const retryAfter = headers['retry-after']
    this.#retryAfter = Array.isArray(retryAfter) ? retryAfter.join(', ') : (retryAfter ?? null)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body.push(chunk)
    this.#bodyBytes += chunk.length
    if (this.#bodyBytes <= MAX_BODY_BYTES) return
    this.#settleAnswered()
    controller.abort(new Error('the rest is not wanted'))
  }

  onResponseEnd(): void {
    this.#settleAnswered()
  }

  onResponseError(_: unknown, error: Error): void {
    // Resolvers lie for a while: portals of hotels, sinkholes. The name may lead elsewhere when it is asked for again.
    if (error instanceof AddressRefused) this.#settleUnanswered(error.message)
    else if (this.#controller === undefined && faultCode(error) === 'UND_ERR_INVALID_ARG')
      this.#settle({ kind: 'forbidden', reason: describeFault(error) })
    else this.#settleUnanswered(describeFault(error))
  }

  #giveUp(reason: string): void {
    this.#settleUnanswered(reason)
    this.#controller?.abort(new Error('given up'))
  }

  #settleAnswered(): void {
    const bytes = Buffer.concat(this.#body).subarray(0, MAX_BODY_BYTES)
    // Cut within a code point, its first bytes are dropped; a whole body is decoded to its end.
    const body = new TextDecoder().decode(bytes, { stream: this.#bodyBytes > MAX_BODY_BYTES })
    this.#settle({ kind: 'answered', status: this.#status, retryAfter: this.#retryAfter, body })
  }

  #settleUnanswered(reason: string): void {
    this.#settle(
      this.#controller === undefined
        ? { kind: 'not_sent', reason: `not connected: ${reason}` }
        : { kind: 'lost', reason: `no answer: ${reason}` },
    )
  }

  #settle(answer: PostAnswer): void {
    this.#isSettled = true
    this.#resolve(answer)
  }
}
