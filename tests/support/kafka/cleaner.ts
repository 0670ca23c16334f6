import { type Admin, ConfigResourceTypes, Kafka, logLevel } from 'kafkajs'
import { settingsOf, type TopicSettings } from '#lib/eventlog/kafka/topic-settings.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import { eventually } from '#tests/support/eventually.ts'
import { type CutCluster, startCutCluster } from '#tools/kafka/cut-cluster.ts'
import { requestKinds } from '#tools/kafka/line.ts'
import { Kcat } from './kcat.ts'
import { type Place, segmentFiles } from './segment-files.ts'

/** A broker whose cleaner a test waits for: what it is about to clean, and whether it has. */
export class CleaningBroker {
  readonly bootstrap: readonly string[]
  readonly kcat: Kcat
  readonly #cluster: CutCluster
  readonly #admin: Admin

  static async start(): Promise<CleaningBroker> {
    const cluster = await startCutCluster(1)
    const admin = new Kafka({ brokers: [...cluster.bootstrap], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    return new CleaningBroker(cluster, admin)
  }

  private constructor(cluster: CutCluster, admin: Admin) {
    this.bootstrap = cluster.bootstrap
    this.kcat = new Kcat(cluster.bootstrap)
    this.#cluster = cluster
    this.#admin = admin
  }

  async stop(): Promise<void> {
    await this.#admin.disconnect()
    await this.#cluster.stop()
  }

  /** How many requests for records have come to it. */
  get fetches(): number {
    return this.#cluster.line(1).requests(requestKinds.fetch)
  }

  /** Files of a partition's segments. The cleaner leaves the last one alone. */
  segmentsOf(place: Place): readonly string[] {
    return segmentFiles(this.#cluster.dataFolder(1), place)
  }

  /** Lets the cleaner loose on what a topic holds now: nothing is too young, and the next append closes the segment. */
  async hasten(definition: TopicDefinition, topic: string, but: TopicSettings = {}): Promise<void> {
    const eager = { 'min.compaction.lag.ms': '0', 'min.cleanable.dirty.ratio': '0.01', 'segment.ms': '1' }
    await this.#set(topic, { ...settingsOf(definition, 1), ...eager, ...but })
  }

  /** Sets a topic up again as the catalogue says. */
  async calm(definition: TopicDefinition, topic: string): Promise<void> {
    await this.#set(topic, settingsOf(definition, 1))
  }

  async #set(topic: string, settings: TopicSettings): Promise<void> {
    const entries = Object.entries(settings)
    const configEntries = entries.map(([name, value]) => ({ name, value }))
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }]
    await this.#admin.alterConfigs({ validateOnly: false, resources })
  }

  /** Appends again and again, until the broker has heard of its new settings and begun another segment. */
  async closeSegment(place: Place, append: () => Promise<unknown>): Promise<void> {
    const before = this.segmentsOf(place).length
    await eventually(async () => {
      await append()
      return this.segmentsOf(place).length > before
    })
  }

  /** Waits until every key stands only once before the last record. @returns as kcat sees it then, `offset:key` */
  async cleaned({ topic, partition }: Place): Promise<readonly string[]> {
    return eventually(async () => {
      const places = await this.kcat.places(topic, partition)
      const keys = places.slice(0, -1).map((place) => place.slice(place.indexOf(':') + 1))
      return new Set(keys).size === keys.length && places
    }, 60_000)
  }

  /** As if a group had never been. */
  async forgetGroups(...groupIds: readonly string[]): Promise<void> {
    await this.#admin.deleteGroups([...groupIds])
  }
}
