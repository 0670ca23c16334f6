import { Worker } from 'node:worker_threads'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Milliseconds } from '#lib/time.ts'
import { SECOND_MS } from '#lib/time.ts'
import type { ProbeResult } from '../sample.ts'
import type { HttpTarget } from './http-probe.ts'
import type { ProbeReply, ProbeRequest } from './probe-worker.ts'

/** Whoever can probe. */
export interface Prober {
  /** Never rejects: a failure is a result. */
  probe(target: HttpTarget): Promise<ProbeResult>
  /** Ends at once; probes under way fail with `prober_closed`. Idempotent. */
  close(): Promise<void>
}

/** How long after its limit a probe may be without any result before the worker is taken for dead. */
const HUNG_AFTER_MS: Milliseconds = 5 * SECOND_MS

/**
 * Probes in one worker thread. It starts with the first probe. When it dies, the probes under way fail with
 * `prober_died`; when it does not answer, with `prober_hung`, and it is ended. The next probe starts a new one.
 *
 * @param script what the thread runs; it answers each `ProbeRequest` with a `ProbeReply`
 */
export function createProbePool(clock: Clock, script = new URL('./probe-worker.ts', import.meta.url)): Prober {
  return new ProbePool(clock, script)
}

class ProbePool implements Prober {
  readonly #clock: Clock
  readonly #script: URL
  #thread: ProbeThread | null = null
  #isClosed = false

  constructor(clock: Clock, script: URL) {
    this.#clock = clock
    this.#script = script
  }

  async probe(target: HttpTarget): Promise<ProbeResult> {
    if (this.#isClosed) return failed('prober_closed')
    if (!this.#thread?.isAlive) this.#thread = new ProbeThread(new Worker(this.#script))
    const thread = this.#thread
    const answered = new AbortController()
    void this.#clock.sleep(target.timeoutMs + HUNG_AFTER_MS, answered.signal).then(() => {
      if (!answered.signal.aborted) void thread.end('prober_hung')
    })
    const result = await thread.probe(target)
    answered.abort()
    return result
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#thread?.end('prober_closed')
  }
}

/** One life of the worker. */
class ProbeThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, (result: ProbeResult) => void>()
  #nextId = 0
  #isAlive = true

  constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', ({ id, result }: ProbeReply) => this.#settle(id, result))
    worker.on('error', () => this.#fail('prober_died'))
    worker.on('exit', () => this.#fail('prober_died'))
    worker.unref()
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  probe(target: HttpTarget): Promise<ProbeResult> {
    const { url, method, headers, timeoutMs, expectedStatus } = target
    const request: ProbeRequest = { id: this.#nextId++, target: { url, method, headers, timeoutMs, expectedStatus } }
    return new Promise((resolve) => {
      this.#waiting.set(request.id, resolve)
      this.#worker.postMessage(request)
    })
  }

  async end(errorCode: string): Promise<void> {
    this.#fail(errorCode)
    await this.#worker.terminate()
  }

  #settle(id: number, result: ProbeResult): void {
    this.#waiting.get(id)?.(result)
    this.#waiting.delete(id)
  }

  #fail(errorCode: string): void {
    this.#isAlive = false
    for (const id of this.#waiting.keys()) this.#settle(id, failed(errorCode))
  }
}

function failed(errorCode: string): ProbeResult {
  return { kind: 'failed', errorCode, lagMs: null }
}
