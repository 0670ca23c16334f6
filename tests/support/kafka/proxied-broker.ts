import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startJvmCluster } from '#tools/kafka/jvm-cluster.ts'
import { freePorts } from '#tools/kafka/ports.ts'

/** Kafka's numbers of requests. */
export const PRODUCE = 0
export const FETCH = 1

/** One broker that clients reach through a line which a test can cut. */
export interface ProxiedBroker {
  readonly bootstrap: readonly string[]
  /** How many requests of a kind have passed. */
  requests(apiKey: number): number
  /** The next request of a kind goes through, its answer does not, and the connection ends. */
  cutNextAnswer(apiKey: number): void
  /** The next request of a kind does not go through, and the connection ends. */
  cutNextRequest(apiKey: number): void
  /** All connections end, and no new one is taken until `open`. */
  shut(): Promise<void>
  open(): Promise<void>
  stop(): Promise<void>
}

export async function startProxiedBroker(): Promise<ProxiedBroker> {
  const [client, internal, controller] = await freePorts(3)
  const ports = { client: client!, internal: internal!, controller: controller! }
  const line = new Line(ports.client)
  const port = await line.listen(0)
  const folder = mkdtempSync(join(tmpdir(), 'obstream-kafka-'))
  const host = '127.0.0.1'
  const settings = { 'advertised.listeners': `CLIENT://${host}:${port},INTERNAL://${host}:${ports.internal}` }
  const cluster = await startJvmCluster({ settings }, { folder, ports: [ports] })
  return {
    bootstrap: [`${host}:${port}`],
    requests: (apiKey) => line.passed.get(apiKey) ?? 0,
    cutNextAnswer: (apiKey) => void line.cuts.set(apiKey, 'answer'),
    cutNextRequest: (apiKey) => void line.cuts.set(apiKey, 'request'),
    shut: () => line.shut(),
    open: async () => void (await line.listen(port)),
    async stop() {
      await line.shut()
      await cluster.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Passes bytes on, and looks at requests: four bytes of length, two of the kind. */
class Line {
  readonly passed = new Map<number, number>()
  readonly cuts = new Map<number, 'request' | 'answer'>()
  readonly #to: number
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  constructor(to: number) {
    this.#to = to
  }

  async listen(port: number): Promise<number> {
    const server = createServer((client) => this.#pass(client))
    this.#server = server
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as { readonly port: number }).port
  }

  async shut(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const socket of this.#sockets) socket.destroy()
    if (server) await new Promise((resolve) => server.close(resolve))
  }

  #pass(client: Socket): void {
    const broker = connect(this.#to, '127.0.0.1')
    for (const socket of [client, broker]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        broker.destroy()
      })
    }
    let waiting: Buffer = Buffer.alloc(0)
    let isCut = false
    client.on('data', (bytes) => {
      waiting = Buffer.concat([waiting, bytes])
      while (waiting.length >= 6 && waiting.length >= 4 + waiting.readInt32BE(0)) {
        const request = waiting.subarray(0, 4 + waiting.readInt32BE(0))
        waiting = waiting.subarray(request.length)
        const apiKey = request.readInt16BE(4)
        const cut = this.cuts.get(apiKey)
        this.cuts.delete(apiKey)
        if (cut === 'request') return void client.destroy()
        isCut ||= cut === 'answer'
        this.passed.set(apiKey, (this.passed.get(apiKey) ?? 0) + 1)
        broker.write(request)
      }
    })
    broker.on('data', (bytes) => (isCut ? client.destroy() : client.write(bytes)))
  }
}
