import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Kafka's numbers of requests. */
export const requestKinds = {
  produce: 0,
  fetch: 1,
  metadata: 3,
  offsetCommit: 8,
  joinGroup: 11,
  heartbeat: 12,
} as const

/** Ends a connection at a request, or makes it useless. */
export interface Cut {
  /** Of the request that is waited for: one of `requestKinds`. */
  readonly kind: number
  /** Only a request in which this stands, such as the name of a topic. */
  readonly naming?: string
  /**
   * `request`: the broker never hears of it. `answer`: it does, and the client does not hear of that. `late`: the broker hears
   * of it some seconds after the client has lost the connection. `everything`: nothing goes through any more, this request
   * included, and the connection stays, so that both wait for each other.
   */
  readonly loses: 'request' | 'answer' | 'late' | 'everything'
}

/** Long enough for the client to come back and go on without it. */
const LATE_MS = 2_000

const LENGTH_BYTES = 4
const KIND_BYTES = 2

/**
 * Stands before a broker, passes on what clients and it say to each other, and looks at each request: four bytes of length,
 * two of the kind.
 */
export class Line {
  readonly #to: number
  readonly #passed = new Map<number, number>()
  #cuts: Cut[] = []
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

  /** Cuts the connection on which the next such request comes; the next but one for a second call, and so on. */
  cutNext(cut: Cut): void {
    this.#cuts.push(cut)
  }

  /** Takes back what was not cut yet. */
  leaveUncut(): void {
    this.#cuts = []
  }

  /** How many requests are still waited for, to cut them. */
  get pendingCuts(): number {
    return this.#cuts.length
  }

  #pass(client: Socket): void {
    client.pause()
    const broker = connect(this.#to, '127.0.0.1', () => client.resume())
    let losing: Cut['loses'] | undefined
    this.#clients.add(client)
    client
      .on('error', () => {})
      .on('close', () => {
        this.#clients.delete(client)
        if (losing !== 'late') broker.destroy()
      })
    broker.on('error', () => {}).on('close', () => client.destroy())
    let waiting: Buffer = Buffer.alloc(0)
    client.on('data', (bytes) => {
      waiting = Buffer.concat([waiting, bytes])
      for (let request = firstOf(waiting); request && !client.destroyed; request = firstOf(waiting)) {
        waiting = waiting.subarray(request.length)
        losing ??= this.#takeCut(request)
        if (losing === 'request') return void client.destroy()
        if (losing === 'everything') return
        if (losing === 'late') return void sendLate(request, { client, broker })
        const kind = kindOf(request)
        this.#passed.set(kind, this.requests(kind) + 1)
        broker.write(request)
      }
    })
    broker.on('data', (bytes) => {
      if (losing === undefined) client.write(bytes)
      else if (losing === 'answer') client.destroy()
    })
  }

  #takeCut(request: Buffer): Cut['loses'] | undefined {
    const at = this.#cuts.findIndex(({ kind, naming = '' }) => kind === kindOf(request) && request.includes(naming))
    return at < 0 ? undefined : this.#cuts.splice(at, 1)[0]!.loses
  }
}

function sendLate(request: Buffer, { client, broker }: { readonly client: Socket; readonly broker: Socket }): void {
  client.destroy()
  setTimeout(() => broker.end(request), LATE_MS)
  broker.on('data', () => broker.destroy())
}

const kindOf = (request: Buffer): number => request.readInt16BE(LENGTH_BYTES)

/** The first request, when all of it is there. */
function firstOf(bytes: Buffer): Buffer | undefined {
  if (bytes.length < LENGTH_BYTES + KIND_BYTES) return undefined
  const end = LENGTH_BYTES + bytes.readInt32BE(0)
  return bytes.length < end ? undefined : bytes.subarray(0, end)
}
