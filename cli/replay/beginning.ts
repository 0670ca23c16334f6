import { parsePlan } from '#lib/codec/plan-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { Offset } from '#lib/eventlog/port.ts'
import type { SampleFact, Tick } from '#lib/facts.ts'
import { readFacts } from '#lib/jobs/read-facts.ts'
import { ENGINE, type Plan } from '#lib/plan.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { decodeOwn } from '#lib/runtime/own-records.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'

/**
 * Why a replay takes facts as they were recorded.
 *
 * - `retention`: the log no longer holds the samples they follow from.
 * - `engine`: they were decided by folds of another engine, which this build cannot run.
 * - `plan`: a tick names a plan that this build cannot read.
 */
export type TakenBecause = 'retention' | 'engine' | 'plan'

/** Where in a partition of the samples a replay begins. */
export interface Beginning {
  /** The first sample that is folded. */
  readonly foldsFrom: Offset
  /** What follows from earlier samples is not recomputed, but taken as it was recorded. */
  readonly speaksFrom: Offset
  /** The tick it speaks from; `-Infinity`: from the first record on, `Infinity`: never. */
  readonly recomputedFrom: Instant
  /** The oldest tick that is kept; `-Infinity` when the partition is whole. */
  readonly samplesFrom: Instant
  readonly because: readonly TakenBecause[]
}

/**
 * Finds where a replay can speak for itself, in each partition.
 *
 * Where the oldest samples are gone, state has to grow first: the samples that are left are folded in silence until what
 * came before them cannot matter any more; until then recorded facts are the start. Ticks with a plan of another engine
 * are folded in silence, too, as after an upgrade: from the last of them on this build speaks.
 */
export async function findBeginnings(env: Environment): Promise<readonly Beginning[]> {
  const plans = await readPlans(env)
  const isForeign = [...plans.values()].some((plan) => plan === null || plan.engine !== ENGINE)
  const beginnings: Beginning[] = []
  for (const { partition, earliest, end } of await env.log.offsets(topics.sample.name)) {
    const search = new BeginningSearch(plans, { earliest, end })
    if (earliest > 0 || isForeign)
      for await (const { offset, tick } of ticks(env, partition)) if (!search.take(offset, tick)) break
    beginnings.push(search.found)
  }
  return beginnings
}

/** `null`: a record that is no plan for this build. */
async function readPlans({ log, codecs }: Environment): Promise<ReadonlyMap<string, Plan | null>> {
  const plans = new Map<string, Plan | null>()
  const codec = codecOf({ codecs }, topics.plan)
  const [place] = await log.offsets(topics.plan.name)
  for await (const batch of log.read(topics.plan.name, 0, place!.earliest, place!.end))
    for (const { key, value } of batch.records()) {
      const hash = key.toString()
      if (!value || plans.get(hash)) continue
      try {
        const { canonicalJson } = await decodeOwn(codec, value)
        plans.set(hash, sha256Hex(canonicalJson) === hash ? parsePlan(canonicalJson) : null)
      } catch (error) {
        if (!isObstreamError(error, 'OBS_RECORD_INVALID')) throw error
        plans.set(hash, null)
      }
    }
  return plans
}

async function* ticks(
  { log, codecs }: Environment,
  partition: number,
): AsyncGenerator<{ readonly offset: Offset; readonly tick: Tick }> {
  const { earliest, end } = (await log.offsets(topics.sample.name))[partition]!
  const facts = readFacts<SampleFact>(log, codecOf({ codecs }, topics.sample), { partition, from: earliest, to: end })
  for await (const { offset, value } of facts) if (value.type === 'tick') yield { offset, tick: value }
}

class BeginningSearch {
  readonly #plans: ReadonlyMap<string, Plan | null>
  readonly #stretch: { readonly earliest: Offset; readonly end: Offset }
  readonly #because = new Set<TakenBecause>()
  #oldestTickAt: Instant | null = null
  #newestTickAt: Instant = Number.NEGATIVE_INFINITY
  #warmAt: Instant = Number.NEGATIVE_INFINITY
  #speaks: { readonly offset: Offset; readonly at: Instant } | null

  constructor(plans: ReadonlyMap<string, Plan | null>, stretch: { readonly earliest: Offset; readonly end: Offset }) {
    this.#plans = plans
    this.#stretch = stretch
    this.#speaks = stretch.earliest > 0 ? null : { offset: 0, at: Number.NEGATIVE_INFINITY }
    if (stretch.earliest > 0) this.#because.add('retention')
  }

  /** Takes the ticks in order. @returns whether later ones can change what is found */
  take(offset: Offset, { at, plan: hash }: Tick): boolean {
    this.#oldestTickAt ??= at
    // A tick that does not move time decides nothing.
    if (at <= this.#newestTickAt) return true
    this.#newestTickAt = at
    const plan = this.#plans.get(hash)
    if (!plan) {
      this.#because.add('plan')
      this.#speaks = null
      return false
    }
    if (this.#stretch.earliest > 0) this.#warmAt = Math.max(this.#warmAt, this.#oldestTickAt + longestMemory(plan))
    if (plan.engine !== ENGINE) {
      this.#because.add('engine')
      this.#speaks = null
    } else if (at >= this.#warmAt) this.#speaks ??= { offset, at }
    return true
  }

  get found(): Beginning {
    const { earliest, end } = this.#stretch
    const because = [...this.#because]
    const samplesFrom = earliest > 0 ? (this.#oldestTickAt ?? Number.POSITIVE_INFINITY) : Number.NEGATIVE_INFINITY
    if (!this.#speaks)
      return { foldsFrom: end, speaksFrom: end, recomputedFrom: Number.POSITIVE_INFINITY, samplesFrom, because }
    const { offset, at } = this.#speaks
    return { foldsFrom: earliest, speaksFrom: offset, recomputedFrom: at, samplesFrom, because }
  }
}

/**
 * After this time nothing of rollup's state rests on older samples, but for what its own output tells: late samples and
 * windows of other lengths are forgotten, open windows are younger, and every silence has been told of or ended.
 */
function longestMemory({ latenessMs, windowMs, graceMs, sources, rules }: Plan): Milliseconds {
  const slots = 1 + Math.max(1, ...rules.map(({ noDataAfterSlots }) => noDataAfterSlots))
  return latenessMs + 2 * windowMs + graceMs + slots * Math.max(0, ...sources.map(({ intervalMs }) => intervalMs))
}
