import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Kafka's numbers of requests. */
export const requestKinds = { produce: 0, fetch: 1, offsetCommit: 8, joinGroup: 11, heartbeat: 12 } as const

/** What does not go through: the request, so that the broker never hears of it, or only its answer. */
export type Cut = 'request' | 'answer'

const LENGTH_BYTES = 4
const KIND_BYTES = 2

/**
 * Stands before a broker, passes on what clients and it say to each other, and looks at each request: four bytes of length,
 * two of the kind.
 */
export class Line {
  readonly #to: number
  readonly #passed = new Map<number, number>()
  readonly #cuts = new Map<number, Cut>()
  readonly #clients = new Set<Socket>()
  #server: Server | undefined
  #port = 0

  /** @param to port of the broker on 127.0.0.1; it need not be there yet */
  constructor(to: number) {
    this.#to = to
  }

  /** Takes connections, after `shut` at the same port. @returns the port */
  async open(): Promise<number> {
    const server = createServer((client) => this.#pass(client))
    this.#server = server
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#port = (server.address() as { readonly port: number }).port
    return this.#port
  }

  /** Ends all connections, and takes none until `open`. */
  async shut(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const client of this.#clients) client.destroy()
    if (server) await new Promise((resolve) => server.close(resolve))
  }

  /** How many clients are connected. */
  get connections(): number {
    return this.#clients.size
  }

  /** How many requests of a kind went through. */
  requests(kind: number): number {
    return this.#passed.get(kind) ?? 0
  }

  /** Cuts the connection on which the next request of a kind comes; one that waits to be cut already is cut once. */
  cutNext(kind: number, cut: Cut): void {
    this.#cuts.set(kind, cut)
  }

  /** Takes back what was not cut yet. */
  leaveUncut(): void {
    this.#cuts.clear()
  }

  /** How many requests are still waited for, to cut them. */
  get pendingCuts(): number {
    return this.#cuts.size
  }

  #pass(client: Socket): void {
    client.pause()
    const broker = connect(this.#to, '127.0.0.1', () => client.resume())
    this.#clients.add(client)
    client
      .on('error', () => {})
      .on('close', () => {
        this.#clients.delete(client)
        broker.destroy()
      })
    broker.on('error', () => {}).on('close', () => client.destroy())
    let waiting: Buffer = Buffer.alloc(0)
    let isCut = false
    client.on('data', (bytes) => {
      waiting = Buffer.concat([waiting, bytes])
      for (let request = firstOf(waiting); request && !client.destroyed; request = firstOf(waiting)) {
        waiting = waiting.subarray(request.length)
        const kind = request.readInt16BE(LENGTH_BYTES)
        const cut = this.#cuts.get(kind)
        this.#cuts.delete(kind)
        if (cut === 'request') return void client.destroy()
        isCut ||= cut === 'answer'
        this.#passed.set(kind, this.requests(kind) + 1)
        broker.write(request)
      }
    })
    broker.on('data', (bytes) => (isCut ? client.destroy() : client.write(bytes)))
  }
}

/** The first request, when all of it is there. */
function firstOf(bytes: Buffer): Buffer | undefined {
  if (bytes.length < LENGTH_BYTES + KIND_BYTES) return undefined
  const end = LENGTH_BYTES + bytes.readInt32BE(0)
  return bytes.length < end ? undefined : bytes.subarray(0, end)
}
