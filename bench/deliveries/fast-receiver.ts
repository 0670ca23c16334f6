import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Instant } from '#lib/time.ts'

/** A request that came. */
export interface Arrival {
  /** The header `webhook-id`; `null` without one. */
  readonly messageId: string | null
  readonly body: string
  /** When its head was there. */
  readonly headAt: Instant
}

const LOOK_EVERY_MS = 5

/** A receiver on this machine that takes everything at once, and remembers it. */
export class FastReceiver {
  readonly #server: Server
  #arrivals: Arrival[] = []
  #connections = 0

  private constructor() {
    this.#server = createServer((request, response) => this.#receive(request, response))
    // Longer than a run: what is measured is not how connections are made again.
    this.#server.keepAliveTimeout = 600_000
    this.#server.on('connection', () => this.#connections++)
  }

  static async open(): Promise<FastReceiver> {
    const receiver = new FastReceiver()
    await new Promise<void>((resolve, reject) => {
      receiver.#server.once('error', reject).listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, resolve)
    })
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`
  }

  /** Resolves when so many requests came since the last `take`. @throws the signal's reason */
  async hasTaken(count: number, signal: AbortSignal): Promise<void> {
    while (this.#arrivals.length < count) await wait(LOOK_EVERY_MS, undefined, { signal })
  }

  /** What came since the last call, in order, and how many connections were made for it. */
  take(): { readonly arrivals: readonly Arrival[]; readonly connections: number } {
    const taken = { arrivals: this.#arrivals, connections: this.#connections }
    this.#arrivals = []
    this.#connections = 0
    return taken
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const headAt = Date.now()
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.once('end', () => {
      const messageId = (request.headers['webhook-id'] as string | undefined) ?? null
      this.#arrivals.push({ messageId, body: Buffer.concat(chunks).toString(), headAt })
      response.end('ok')
    })
  }
}
