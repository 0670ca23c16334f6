import { setTimeout as wait } from 'node:timers/promises'
import { topics } from '#lib/topics.ts'
import type { CutCluster } from '#tools/kafka/cut-cluster.ts'
import { type Line, requestKinds } from '#tools/kafka/line.ts'
import type { SchemaRegistry, Server } from '#tools/kafka/server.ts'
import type { Random } from '../random.ts'
import type { Fault } from './fault.ts'
import { KeptService } from './kept-service.ts'

/** What can be hurt. */
export interface Body {
  readonly random: Random
  readonly services: readonly KeptService[]
  readonly cluster: CutCluster
  readonly registry: SchemaRegistry
  /** Flags of every command. */
  readonly flags: readonly string[]
  /** Of every process. */
  readonly secrets: Readonly<Record<string, string>>
  /** Of replicas that are gone. */
  readonly faults: Fault[]
}

/** Hurts, and lets go again: what was stopped is started or goes on when it resolves. */
export type Hurt = (body: Body) => Promise<void>

/** A service that is silent for longer than this is taken for dead by its group. */
const SESSION_MS = 6_000
const LONGEST_FREEZE_MS = 9_000
const { produce, fetch, offsetCommit, joinGroup, heartbeat } = requestKinds
const cutAt = [
  ...[topics.sample, topics.window, topics.breach, topics.alert].map(({ name }) => ({ kind: produce, naming: name })),
  ...[fetch, offsetCommit, joinGroup, heartbeat].map((kind) => ({ kind })),
]
/** Of each broker. */
const CUTS = 6
/** Windows end every ten seconds, and only then something is said of them. */
const CUT_WITHIN_MS = 12_000
/** At each broker. */
const SWALLOWED = 3
const TWO_OWN_MS = 5_000
const REPLICAS = 3

/** What one broker may meet. */
export const hurts: Readonly<Record<string, Hurt>> = {
  'SIGKILL of a service': async ({ random, services }) => {
    await random.pick(services).kill()
  },

  /** Somebody else takes its partitions over, and then it comes back and does not know. */
  'SIGSTOP of a service for longer than its session': async ({ random, services }) => {
    const service = random.pick(services)
    service.pause()
    await wait(random.between(SESSION_MS + 500, LONGEST_FREEZE_MS))
    service.resume()
  },

  'SIGKILL of a broker': async (body) => {
    const broker = anyBroker(body)
    await broker.kill('SIGKILL')
    await broker.restart()
  },

  'requests lost, answered to nobody, late, or met by silence': async ({ random, cluster }) => {
    const lines = linesOf(cluster)
    for (const line of lines)
      for (const request of random.shuffled(cutAt).slice(0, CUTS))
        line.cutNext({ ...request, loses: random.pick(['request', 'answer', 'late', 'everything']) })
    const deadline = performance.now() + CUT_WITHIN_MS
    while (lines.some(({ pendingCuts }) => pendingCuts > 0) && performance.now() < deadline) await wait(50)
    for (const line of lines) line.leaveUncut()
  },

  /** Whoever beats works on until it misses the answer; meanwhile its group has taken it for dead. */
  'heartbeats swallowed, so that two own a partition': async ({ cluster }) => {
    for (const line of linesOf(cluster))
      for (let i = 0; i < SWALLOWED; i++) line.cutNext({ kind: heartbeat, loses: 'everything' })
    await wait(SESSION_MS + TWO_OWN_MS)
    for (const line of linesOf(cluster)) line.leaveUncut()
  },

  'registry away while a service starts': async ({ random, registry, services }) => {
    await registry.kill('SIGKILL')
    await random.pick(services).kill()
    await wait(random.between(500, 4_000))
    await registry.restart()
  },

  'replicas come and go': async ({ random, flags, secrets, faults }) => {
    for (let i = 0; i < REPLICAS; i++) {
      const service = random.pick(['rollup', 'rollup', 'sampler', 'alerter'])
      const replica = new KeptService(`another ${service}`, [...flags, 'serve', service], secrets)
      await replica.runs()
      await wait(random.between(0, 1_500))
      await (random.chance(0.5) ? replica.stop() : replica.killForGood())
      faults.push(...replica.faults)
    }
  },
}

/** What only several brokers can meet: somebody else leads meanwhile. */
export const hurtsOfSeveral: Readonly<Record<string, Hurt>> = {
  'SIGTERM of a broker, whose partitions move': async (body) => {
    const broker = anyBroker(body)
    await broker.kill('SIGTERM')
    await broker.restart()
  },

  'SIGSTOP of a broker': async (body) => {
    const broker = anyBroker(body)
    await broker.pause()
    await wait(body.random.between(1_000, LONGEST_FREEZE_MS))
    await broker.resume()
  },
}

function linesOf(cluster: CutCluster): readonly Line[] {
  return Array.from({ length: cluster.brokers }, (_, i) => cluster.line(i + 1))
}

function anyBroker({ random, cluster }: Body): Server {
  return cluster.broker(random.between(1, cluster.brokers))
}
