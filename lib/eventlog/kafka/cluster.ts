import { ObstreamError } from '#lib/errors.ts'
import { type Milliseconds, SECOND_MS } from '#lib/time.ts'
import { isAccessDenied, kafkaError, unavailable } from './broker-errors.ts'
import { BrokerLine, type MakeRequest } from './connection.ts'
import { requestOf, type SaslOptions, type TlsOptions } from './kafkajs.ts'
import { patiently } from './patience.ts'
import { type BrokerAddress, type Metadata, metadataRequest, type TopicMetadata } from './requests.ts'

export interface ClusterOptions {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly tls?: TlsOptions
  readonly sasl?: SaslOptions
}

/** Requests of one lane never wait for those of another. */
export type Lane = 'ask' | 'append' | 'read' | 'follow' | `follow ${string}` | `group ${string}`

const CONNECT_TIMEOUT_MS = 5 * SECOND_MS
/** A broker that does not answer such a question in time is passed over; another one knows as well. */
const QUICK_ANSWER_MS = 4 * SECOND_MS

/** The brokers: which there are, who leads what, and the lines to them. */
export class Cluster {
  readonly #options: ClusterOptions
  readonly #lines = new Map<string, BrokerLine>()
  readonly #topics = new Map<string, TopicMetadata>()
  /** The first id that each topic was seen with. */
  readonly #firstIds = new Map<string, string>()
  readonly #coordinators = new Map<string, BrokerAddress>()
  readonly #looking = new Map<string, Promise<TopicMetadata | undefined>>()
  #brokers: readonly BrokerAddress[]
  #controller = -1
  #isClosed = false

  constructor(options: ClusterOptions) {
    this.#options = options
    this.#brokers = options.brokers.map(addressOf)
  }

  /** How many brokers there are, after the first look. */
  get size(): number {
    return this.#brokers.length
  }

  /** Looks for the first broker that answers. @throws OBS_LOG_UNAVAILABLE, OBS_LOG_ACCESS_DENIED */
  async connect(patienceMs: Milliseconds): Promise<void> {
    await patiently(`Kafka at ${this.#options.brokers.join(', ')}`, () => this.#ask([]), { patienceMs })
  }

  /**
   * A topic as it was last seen.
   *
   * @throws OBS_LOG_TOPIC_MISSING, OBS_LOG_HISTORY_CHANGED, OBS_LOG_UNAVAILABLE, OBS_LOG_ACCESS_DENIED
   */
  async topic(name: string): Promise<TopicMetadata> {
    const topic = await this.findTopic(name)
    if (topic) return topic
    throw this.#firstIds.has(name) ? deletedInUse(name) : missingTopic(`topic ${name} does not exist`)
  }

  /** The same, `undefined` for one that does not exist. */
  async findTopic(name: string): Promise<TopicMetadata | undefined> {
    return this.#topics.get(name) ?? (await this.#look(name))
  }

  /** A topic that is asked for again looks at the brokers first: somebody else leads, or it is gone. */
  forgetTopic(name: string): void {
    this.#topics.delete(name)
  }

  /** The line to the leader of a partition. @throws as `topic`; OBS_LOG_UNAVAILABLE when there is no leader */
  async leaderLine(name: string, partition: number, lane: Lane): Promise<BrokerLine> {
    return this.lineTo(await this.leaderOf(name, partition), lane)
  }

  /** The number of the broker that leads a partition. @throws as `leaderLine` */
  async leaderOf(name: string, partition: number): Promise<number> {
    const { partitions } = await this.topic(name)
    const found = partitions[partition]
    if (!found) throw missingTopic(`topic ${name} has ${partitions.length} partitions; there is no ${partition}`)
    if (this.#find(found.leader)) return found.leader
    this.forgetTopic(name)
    throw new ObstreamError('OBS_LOG_UNAVAILABLE', `${name}/${partition} has no leader at the moment.`)
  }

  lineTo(nodeId: number, lane: Lane): BrokerLine {
    const broker = this.#find(nodeId)
    if (!broker) throw new ObstreamError('OBS_LOG_UNAVAILABLE', `Broker ${nodeId} is not among those we know.`)
    return this.#line(broker, lane)
  }

  /** The line to the broker that takes changes of topics. */
  async controllerLine(): Promise<BrokerLine> {
    if (!this.#find(this.#controller)) await this.#ask([])
    return this.lineTo(this.#controller, 'ask')
  }

  /** The line to the broker that keeps a group. */
  async coordinatorLine(group: string, lane: Lane): Promise<BrokerLine> {
    let broker = this.#coordinators.get(group)
    if (!broker) {
      const { coordinator } = await this.askAnyone<{ readonly coordinator: BrokerAddress }>((versions) =>
        requestOf('GroupCoordinator', versions, { groupId: group }),
      )
      broker = coordinator
      this.#coordinators.set(group, broker)
    }
    return this.#line(broker, lane)
  }

  forgetCoordinator(group: string): void {
    this.#coordinators.delete(group)
  }

  /** Asks the brokers one after the other, until one answers. @throws what the last one met */
  async askAnyone<Answer>(make: MakeRequest<Answer>): Promise<Answer> {
    let failure: unknown
    for (const broker of this.#candidates())
      try {
        return await this.#line(broker, 'ask').send(make, 0, QUICK_ANSWER_MS)
      } catch (error) {
        if (isAccessDenied(error)) throw error
        failure = error
      }
    throw failure
  }

  close(): void {
    this.#isClosed = true
    for (const line of this.#lines.values()) line.close()
  }

  /** The brokers that were seen last, and those of the configuration, in case all have moved. */
  #candidates(): readonly BrokerAddress[] {
    const configured = this.#options.brokers.map(addressOf)
    const known = new Set(this.#brokers.map(({ host, port }) => `${host}:${port}`))
    return [...this.#brokers, ...configured.filter(({ host, port }) => !known.has(`${host}:${port}`))]
  }

  async #ask(names: readonly string[]): Promise<Metadata> {
    const metadata = await this.askAnyone(() => metadataRequest(names))
    if (metadata.brokers.length > 0) this.#brokers = metadata.brokers
    this.#controller = metadata.controller
    return metadata
  }

  #look(name: string): Promise<TopicMetadata | undefined> {
    const running = this.#looking.get(name)
    if (running) return running
    const looking = this.#lookAt(name).finally(() => this.#looking.delete(name))
    this.#looking.set(name, looking)
    return looking
  }

  async #lookAt(name: string): Promise<TopicMetadata | undefined> {
    let metadata: Metadata
    try {
      metadata = await this.#ask([name])
    } catch (error) {
      throw unavailable(`No broker tells about ${name}`, error)
    }
    const topic = metadata.topics[0]!
    if (topic.errorCode === kafkaError.unknownTopicOrPartition) return undefined
    if (topic.errorCode === kafkaError.topicAuthorizationFailed)
      throw new ObstreamError('OBS_LOG_ACCESS_DENIED', `${name} may not be read or described by this user.`)
    if (topic.errorCode !== kafkaError.none)
      throw new ObstreamError('OBS_LOG_UNAVAILABLE', `${name} is not ready: Kafka's error ${topic.errorCode}.`)
    this.#refuseAnother(topic)
    this.#topics.set(name, topic)
    return topic
  }

  /** A topic with another id is another topic. */
  #refuseAnother({ name, id }: TopicMetadata): void {
    const first = this.#firstIds.get(name) ?? id
    this.#firstIds.set(name, first)
    if (first !== id) throw deletedInUse(name, ' and created anew')
  }

  #find(nodeId: number): BrokerAddress | undefined {
    return nodeId < 0 ? undefined : this.#brokers.find((broker) => broker.nodeId === nodeId)
  }

  #line({ host, port }: BrokerAddress, lane: Lane): BrokerLine {
    if (this.#isClosed) throw new ObstreamError('OBS_LOG_UNAVAILABLE', 'The log is closed.')
    const name = `${host}:${port} ${lane}`
    let line = this.#lines.get(name)
    if (!line) {
      const { clientId, tls, sasl } = this.#options
      const security = { ...(tls ? { tls } : {}), ...(sasl ? { sasl } : {}) }
      line = new BrokerLine({ host, port, clientId, connectTimeoutMs: CONNECT_TIMEOUT_MS, ...security })
      this.#lines.set(name, line)
    }
    return line
  }
}

/** The nodes of the configuration have no number yet. */
function addressOf(broker: string): BrokerAddress {
  const colon = broker.lastIndexOf(':')
  return { nodeId: -1, host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) }
}

/** Whoever used it has seen records that are no more, whether another topic has its name already or not yet. */
function deletedInUse(name: string, more = ''): ObstreamError {
  return new ObstreamError(
    'OBS_LOG_HISTORY_CHANGED',
    `${name} was deleted${more} while it was in use. Restore it, or start a new log.`,
  )
}

function missingTopic(what: string): ObstreamError {
  return new ObstreamError('OBS_LOG_TOPIC_MISSING', `${what}. Run \`obstream topics apply\`.`)
}
