import { expect } from '@jest/globals'
import fc from 'fast-check'
import type { SampleFact } from '#lib/facts.ts'
import { DAY_MS } from '#lib/time.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'
import { asFollower, asSet, recordsOf } from './facts-of.ts'
import type { Fate, Faults } from './faulty-log.ts'
import { type AnyService, type Owner, openScene, type Scene, startOwner, turns, untilQuiet } from './owners.ts'

/** A record of obs.sample.v1 before it is appended. */
export type Sample = readonly [key: string, fact: SampleFact]

export const tickAt = (at: number, plan: string): Sample => ['', { type: 'tick', at, plan }]

export function probeOf(source: string, scheduledAt: number, ordinal: number, latencyMs: number): Sample {
  return [
    source,
    {
      type: 'probe',
      outcome: 'ok',
      scheduledAt,
      ordinal,
      latencyMs,
      measuredAt: scheduledAt,
      lagMs: null,
      errorCode: null,
    },
  ]
}

/** Services that follow each other, what they say, and what must stand in the log before they start. */
export interface Chain {
  services(scene: Scene): readonly AnyService[]
  readonly outputs: readonly TopicDefinition[]
  prepare(scene: Scene): Promise<void>
}

/** What happens to the services while samples come. */
type Act =
  | { readonly act: 'append'; readonly count: number }
  | { readonly act: 'wait'; readonly turns: number }
  | { readonly act: 'kill'; readonly which: number }
  | { readonly act: 'second owner'; readonly which: number }
  | { readonly act: 'land'; readonly which: number }
  | { readonly act: 'land all and kill'; readonly which: number }
  | { readonly act: 'lose commits' }
  | { readonly act: 'compact' }

const actsOf: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ act: fc.constant('append' as const), count: fc.integer({ min: 1, max: 8 }) }) },
    { weight: 6, arbitrary: fc.record({ act: fc.constant('wait' as const), turns: fc.integer({ min: 1, max: 9 }) }) },
    { weight: 5, arbitrary: fc.record({ act: fc.constant('kill' as const), which: fc.nat(9) }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constant('second owner' as const), which: fc.nat(1) }) },
    { weight: 3, arbitrary: fc.record({ act: fc.constant('land' as const), which: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ act: fc.constant('land all and kill' as const), which: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.constant({ act: 'lose commits' as const }) },
    { weight: 2, arbitrary: fc.constant({ act: 'compact' as const }) },
  ),
  { minLength: 10, maxLength: 50 },
)

const fatesOf = fc.infiniteStream(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant<Fate>('ok') },
    { weight: 1, arbitrary: fc.constantFrom<Fate>('refused', 'answer lost', 'late', 'late') },
  ),
)

/**
 * Plays samples to services that die, run twice, lose answers and commits, whose requests land late and whose topics are
 * compacted; what readers then see must be what they see after a run without faults.
 *
 * @param runs how many random scenes; OBS_PROPERTY_RUNS overrides it
 */
export async function assertExactlyOnce(
  chain: Chain,
  samples: fc.Arbitrary<readonly Sample[]>,
  runs: number,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(samples, actsOf, fatesOf, fc.infiniteStream(fc.nat(9)), async (facts, acts, fates, commits) => {
      const expected = await factsWithoutFaults(chain, facts)
      const scene = await openScene()
      await chain.prepare(scene)
      const faults: Faults = { append: () => fates.next().value, losesCommit: () => commits.next().value === 0 }
      await new Play(chain, scene, faults).run(facts, acts)
      const wasCompacted = acts.some(({ act }) => act === 'compact')
      for (const topic of chain.outputs) {
        const records = await recordsOf(scene.log, topic, scene.codecs.get(topic)!)
        expect(asSet(records)).toEqual(expected.get(topic))
        if (!wasCompacted) expect(asFollower(records)).toEqual(expected.get(topic))
      }
    }),
    { numRuns: Number(process.env['OBS_PROPERTY_RUNS'] ?? runs) },
  )
}

async function factsWithoutFaults(
  chain: Chain,
  facts: readonly Sample[],
): Promise<ReadonlyMap<TopicDefinition, readonly string[]>> {
  const scene = await openScene()
  await chain.prepare(scene)
  await appendSamples(scene, facts)
  const owners = await Promise.all(chain.services(scene).map((service) => startOwner(scene, service)))
  await untilQuiet(scene, owners)
  await stopAll(owners)
  const said = new Map<TopicDefinition, readonly string[]>()
  for (const topic of chain.outputs) {
    const records = await recordsOf(scene.log, topic, scene.codecs.get(topic)!)
    said.set(
      topic,
      records.flatMap((record) => asSet([record])),
    )
  }
  return said
}

class Play {
  readonly #chain: readonly AnyService[]
  readonly #outputs: readonly TopicDefinition[]
  readonly #scene: Scene
  readonly #faults: Faults
  #owners: Owner[] = []

  constructor(chain: Chain, scene: Scene, faults: Faults) {
    this.#chain = chain.services(scene)
    this.#outputs = chain.outputs
    this.#scene = scene
    this.#faults = faults
  }

  /** At the end everything lands, and a new owner of each service finishes the work without faults. */
  async run(facts: readonly Sample[], acts: readonly Act[]): Promise<void> {
    let next = 0
    await this.#startAll(this.#faults)
    for (const act of acts) {
      if (act.act === 'append') await appendSamples(this.#scene, facts.slice(next, next + act.count))
      if (act.act === 'append') next += act.count
      else await this.#play(act)
    }
    await appendSamples(this.#scene, facts.slice(next))
    await stopAll(this.#owners)
    await this.#landAll()
    await this.#startAll()
    await untilQuiet(this.#scene, this.#owners)
    await stopAll(this.#owners)
  }

  async #play(act: Exclude<Act, { act: 'append' }>): Promise<void> {
    const { late, commits } = this.#scene
    if (act.act === 'wait') await turns(act.turns)
    else if (act.act === 'kill') await this.#replace(act.which)
    else if (act.act === 'second owner') await this.#addOwner(act.which)
    else if (act.act === 'land') await late.splice(act.which % Math.max(1, late.length), 1)[0]?.()
    else if (act.act === 'lose commits') commits.clear()
    else if (act.act === 'compact') await this.#compact()
    else {
      // A request that lands just before an owner dies puts an old copy directly behind the mark it has committed.
      await this.#landAll()
      await this.#replace(act.which)
    }
  }

  async #startAll(faults?: Faults): Promise<void> {
    this.#owners = await Promise.all(this.#chain.map((service) => startOwner(this.#scene, service, faults)))
  }

  async #replace(which: number): Promise<void> {
    const [gone] = this.#owners.splice(which % this.#owners.length, 1)
    await stopAll([gone!])
    this.#owners.push(await startOwner(this.#scene, gone!.service, this.#faults))
  }

  async #addOwner(which: number): Promise<void> {
    if (this.#owners.length < 5) this.#owners.push(await startOwner(this.#scene, this.#chain[which]!, this.#faults))
  }

  async #landAll(): Promise<void> {
    for (const land of this.#scene.late.splice(0)) await land()
  }

  /** Nobody reads meanwhile: a running reader is within the compaction lag, where nothing is touched. */
  async #compact(): Promise<void> {
    await stopAll(this.#owners)
    this.#scene.clock.advance(16 * DAY_MS)
    await this.#scene.log.topics.compact(this.#outputs)
    await this.#startAll(this.#faults)
  }
}

async function appendSamples(scene: Scene, facts: readonly Sample[]): Promise<void> {
  const codec = scene.codecs.get(topics.sample)!
  const records = facts.map(([key, fact]) => ({ key: Buffer.from(key), value: codec.encode(fact) }))
  if (records.length > 0) await scene.log.append(topics.sample.name, 0, records)
}

async function stopAll(owners: readonly Owner[]): Promise<void> {
  for (const owner of owners) owner.die()
  await turns(3)
  for (const owner of owners) await owner.running.stop()
}
