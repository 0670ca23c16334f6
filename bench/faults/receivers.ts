import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Random } from '../random.ts'

/** A request that came to a receiver, in the order in which they came. */
export interface Arrival {
  readonly channel: string
  /** The header `webhook-id`; `null` where a channel has none. */
  readonly messageId: string | null
  readonly body: string
  /** Whether the receiver acted on it, whatever it answered then. */
  readonly taken: boolean
}

/** Channels by their names in the configuration, with the path of each. */
export const CHANNELS = { ops: '/webhook', pd: '/v2/enqueue', chat: '/services/T0/B0/XX' } as const

/** How a receiver behaves: by chance, in the first mood whose bound lies above it. */
const moods = [
  { below: 0.7, taken: true, answer: 'yes' },
  { below: 0.78, taken: true, answer: 'none' },
  { below: 0.86, taken: false, answer: 'none' },
  { below: 0.94, taken: false, answer: 503 },
  { below: 1, taken: false, answer: 429 },
] as const

type Mood = (typeof moods)[number]

/** People at the other end: a webhook, a pager and a chat, in one server that writes down everything and misbehaves. */
export class Receivers {
  readonly arrivals: Arrival[] = []
  readonly #server: Server
  readonly #random: Random
  #isWell = false

  private constructor(random: Random) {
    this.#random = random
    this.#server = createServer((request, response) => void this.#receive(request, response).catch(() => {}))
  }

  static async open(random: Random): Promise<Receivers> {
    const receivers = new Receivers(random)
    await new Promise<void>((resolve, reject) => {
      receivers.#server.once('error', reject).listen(0, '127.0.0.1', resolve)
    })
    return receivers
  }

  /** The secrets of the channels, as `createDesk` names them. */
  get env(): Readonly<Record<string, string>> {
    const base = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return {
      FAULTS_OPS_URL: `${base}${CHANNELS.ops}`,
      FAULTS_OPS_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      FAULTS_PD_KEY: '0'.repeat(32),
      FAULTS_CHAT_URL: `${base}${CHANNELS.chat}`,
    }
  }

  /** Of PagerDuty, which is no secret. */
  get pagerDutyUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${CHANNELS.pd}`
  }

  /** From now on every request is taken. */
  recover(): void {
    this.#isWell = true
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const channel = Object.entries(CHANNELS).find(([, path]) => path === request.url)![0]
    const mood = this.#isWell ? moods[0] : this.#mood()
    const messageId = (request.headers['webhook-id'] as string | undefined) ?? null
    this.arrivals.push({ channel, messageId, body: Buffer.concat(chunks).toString(), taken: mood.taken })
    if (mood.answer === 'none') request.socket.destroy()
    else if (mood.answer === 'yes') response.writeHead(channel === 'pd' ? 202 : 200).end('ok')
    else response.writeHead(mood.answer, { 'retry-after': '1' }).end()
  }

  #mood(): Mood {
    const chance = this.#random.next()
    return moods.find(({ below }) => chance < below)!
  }
}
