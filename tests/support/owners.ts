import { openCodec, type TopicCodec } from '#lib/codec/avro.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { FoldInput, ServiceDefinition } from '#lib/runtime/define-service.ts'
import { PlanStore } from '#lib/runtime/plan-store.ts'
import { type RunningService, runService } from '#lib/runtime/run.ts'
import { DAY_MS } from '#lib/time.ts'
import { catalogue, type TopicDefinition, topics } from '#lib/topics.ts'
import { type Commits, calm, type Faults, FaultyLog } from './faulty-log.ts'
import { ManualClock } from './manual-clock.ts'

export type AnyService = ServiceDefinition<never, never>

/** Forgets the types of state and input, so that services can stand in one list. */
export function anyService<State, Input extends FoldInput<unknown>>(
  definition: ServiceDefinition<State, Input>,
): AnyService {
  return definition as unknown as AnyService
}

/** One log in memory that several owners work on, each through a faulty connection of its own. */
export interface Scene {
  readonly log: EventLog
  readonly clock: ManualClock
  readonly codecs: ReadonlyMap<TopicDefinition, TopicCodec<object>>
  readonly commits: Commits
  readonly late: (() => Promise<unknown>)[]
}

/** @param startAt append time begins here; later than the event times of the test, as in life */
export async function openScene(startAt = DAY_MS): Promise<Scene> {
  const clock = new ManualClock(startAt)
  const log = openMemoryLog({ clock, partitions: 1 })
  await log.topics.apply(catalogue)
  const registry = openEmbeddedRegistry(log.schemas)
  const codecs = new Map<TopicDefinition, TopicCodec<object>>()
  for (const topic of catalogue)
    if (topic.schema !== null) codecs.set(topic, (await openCodec(topic, registry)) as TopicCodec<object>)
  return { log, clock, codecs, commits: new Map(), late: [] }
}

export interface Owner {
  readonly service: AnyService
  readonly running: RunningService
  /** SIGKILL. */
  die(): void
}

/** Clocks of restarts do not wait: the next turn of the event loop will do. */
const impatient = (clock: Clock): Clock => ({
  ...clock,
  now: () => clock.now(),
  sleep: () => new Promise(setImmediate),
})

/** Starts one owner of all partitions of a service; another one may be running. */
export async function startOwner(scene: Scene, service: AnyService, faults: Faults = calm): Promise<Owner> {
  const connection = new FaultyLog(scene.log, scene, faults)
  const running = await runService(service, {
    log: connection.log,
    plans: new PlanStore(scene.log, scene.codecs.get(topics.plan) as never),
    codecs: scene.codecs,
    clock: impatient(scene.clock),
    logger: { info: () => {}, warn: () => {} },
    counters: { batch: () => {}, deadLetter: () => {}, restart: () => {} },
  })
  return { service, running, die: () => connection.die() }
}

/** Lets everything that is under way go on for some turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}

/** Waits until no topic grows any more. @throws after `deadlineTurns` */
export async function untilQuiet(scene: Scene, owners: readonly Owner[], deadlineTurns = 5_000): Promise<void> {
  let quietFor = 0
  for (let ends = ''; quietFor < 12; deadlineTurns--) {
    if (deadlineTurns <= 0) throw new Error('the services do not come to rest')
    for (const { running } of owners) if (running.waitsFor?.startsWith('FATAL')) throw new Error(running.waitsFor)
    await turns(1)
    const now = (
      await Promise.all(catalogue.map(async ({ name }) => (await scene.log.offsets(name)).map(({ end }) => end)))
    ).join()
    const waiting = owners.some(({ running }) => running.waitsFor !== null)
    quietFor = now === ends && !waiting ? quietFor + 1 : 0
    ends = now
  }
}
