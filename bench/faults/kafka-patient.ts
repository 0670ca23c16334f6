import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { currentFolds } from '#cli/replay/refold.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { SECOND_MS } from '#lib/time.ts'
import { type CutCluster, startCutCluster } from '#tools/kafka/cut-cluster.ts'
import { startJvmRegistry } from '#tools/kafka/jvm-registry.ts'
import type { SchemaRegistry } from '#tools/kafka/server.ts'
import type { Evidence } from './evidence.ts'
import type { Fault } from './fault.ts'
import { type Body, type Hurt, hurts, hurtsOfSeveral } from './kafka-hurts.ts'
import { KeptService } from './kept-service.ts'
import { Observer } from './observer.ts'
import { copyRecords, type DeskPlaces, openCopiedRecords, openDesk } from './open-desk.ts'
import type { Bed, Patient } from './patient.ts'
import { Writer } from './writer.ts'

/** Each in a process of its own; two share the partitions of rollup. */
const SERVED = ['sampler', 'rollup', 'rollup', 'alerter', 'exporter'] as const
const RESTS_AT_MOST_MS = 2_000
const HEALS_WITHIN_MS = 60 * SECOND_MS

/** Starts brokers, a registry and the services on them. */
export async function admitKafkaPatient({ dataDir, random, env: secrets }: Bed, brokers: 1 | 3): Promise<KafkaPatient> {
  const cluster = await startCutCluster(brokers)
  try {
    const registry = await startJvmRegistry()
    try {
      const places = { dataDir, log: `kafka://${cluster.bootstrap.join(',')}`, registry: registry.url }
      const flags = ['--data-dir', dataDir, '--log', places.log, '--registry', places.registry]
      const env = await openDesk(places)
      const observer = new Observer()
      const leave = await observer.watch((await openDesk(places)).log)
      const services = SERVED.map((name, i) => new KeptService(`${name} (${i})`, [...flags, 'serve', name], secrets))
      const body: Body = { random, services, cluster, registry, flags, secrets, faults: [] }
      return new KafkaPatient(places, body, { env, writer: new Writer(env), observer, leave })
    } catch (error) {
      await registry.stop()
      throw error
    }
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

/** Who watches and writes from outside. */
interface Visitors {
  readonly env: Environment
  readonly writer: Writer
  readonly observer: Observer
  readonly leave: () => Promise<void>
}

/** Services in processes of their own on Kafka: they, the brokers, the registry and the ways between them are hurt. */
export class KafkaPatient implements Patient {
  readonly flags: readonly string[]
  readonly cluster: CutCluster
  readonly #registry: SchemaRegistry
  readonly #places: DeskPlaces
  readonly #body: Body
  readonly #visitors: Visitors
  readonly #known: readonly (readonly [string, Hurt])[]
  #next: (readonly [string, Hurt])[] = []

  constructor(places: DeskPlaces, body: Body, visitors: Visitors) {
    this.flags = body.flags
    this.cluster = body.cluster
    this.#registry = body.registry
    this.#places = places
    this.#body = body
    this.#visitors = visitors
    this.#known = [...Object.entries(hurts), ...(body.cluster.brokers > 1 ? Object.entries(hurtsOfSeveral) : [])]
  }

  /** All kinds come equally often, in any order. */
  async hurt(): Promise<string> {
    const { random } = this.#body
    if (this.#next.length === 0) this.#next = random.shuffled(this.#known)
    await wait(random.between(0, RESTS_AT_MOST_MS))
    const [name, hurt] = this.#next.pop()!
    await hurt(this.#body)
    return name
  }

  async heal(): Promise<void> {
    const healed = Promise.all(this.#body.services.map((service) => service.runs()))
    const late = wait(HEALS_WITHIN_MS, 'late' as const, { ref: false })
    if ((await Promise.race([healed, late])) === 'late') throw new Error(`not all of it runs again:\n${this.said()}`)
    await this.#visitors.writer.stop()
  }

  async stop(): Promise<readonly Fault[]> {
    for (const service of this.#body.services) await service.stop()
    await this.#visitors.leave()
    await this.#visitors.env.close()
    return [...this.#body.faults, ...this.#body.services.flatMap(({ faults }) => faults)]
  }

  said(): string {
    return this.#body.services.map(({ name, stderr }) => `== ${name}\n${stderr}`).join('\n')
  }

  evidence(): Pick<Evidence, 'marks' | 'observed'> {
    const { observer, writer } = this.#visitors
    return { marks: [], observed: [...observer.taken, ...writer.acknowledged] }
  }

  open(): Promise<Environment> {
    return openDesk(this.#places)
  }

  /** A copy without any commit, on which the folds have run once more: a commit that is lost must change nothing. */
  async copyLog(): Promise<string> {
    const path = join(mkdtempSync(join(tmpdir(), 'obstream-faults-log-')), 'obstream.db')
    const env = await this.open()
    await copyRecords(env.log, path).finally(() => env.close())
    const copy = await this.openCopy(path)
    try {
      for (const fold of currentFolds) await fold(copy, () => {})
    } finally {
      await copy.close()
    }
    return path
  }

  openCopy(path: string): Promise<Environment> {
    return openCopiedRecords(path, this.#places)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#body.services.map((service) => service.killForGood()))
    await this.#registry.stop()
    await this.cluster.stop()
  }
}
