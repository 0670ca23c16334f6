import { test } from '@jest/globals'
import fc from 'fast-check'
import type { TopicCodec } from '#lib/codec/avro.ts'
import { planRecord } from '#lib/codec/plan-json.ts'
import type { SampleFact } from '#lib/facts.ts'
import type { Plan, Rule } from '#lib/plan.ts'
import { SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { alerter } from '#services/alerter/service.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { anyService, type Scene } from '#tests/support/owners.ts'
import { assertExactlyOnce, type Chain, probeOf, type Sample, tickAt } from '#tests/support/play.ts'

const rule: Rule = {
  id: 'p95',
  match: '*',
  thresholdMs: 100,
  warningAfter: 2,
  criticalAfter: 3,
  minSamples: 1,
  errorRatio: 0.5,
  noDataAfterSlots: 2,
  maxInsufficient: 2,
  resolveAfter: 2,
  resolveBelow: 0.9,
  reminderMs: 30 * SECOND_MS,
}

const source = (id: string) => ({ id, intervalMs: 5 * SECOND_MS, phaseMs: 0, labels: {} })

/** Two sources, one of them gone, and other rules: a plan changes while windows are open. */
const plans: readonly Plan[] = [
  { sources: [source('a'), source('b')], rules: [rule] },
  { sources: [source('a')], rules: [rule] },
  { sources: [source('a'), source('b')], rules: [{ ...rule, id: 'p95_strict', thresholdMs: 40 }] },
].map(({ sources, rules }) => ({
  engine: 1,
  tickIntervalMs: SECOND_MS,
  windowMs: 10 * SECOND_MS,
  graceMs: 2 * SECOND_MS,
  latenessMs: 60 * SECOND_MS,
  calendar: { kind: 'always', holidays: [], tzdata: 'none' },
  sources,
  rules,
  locale: 'en',
  week: 'iso-week',
  datasetRows: {},
}))

const services: Chain = {
  services: (scene) => [
    anyService(rollupReading(scene.codecs.get(topics.sample) as TopicCodec<SampleFact>)),
    anyService(alerter),
  ],
  outputs: [topics.window, topics.breach, topics.alert],
  prepare: publishPlans,
}

async function publishPlans(scene: Scene): Promise<void> {
  const codec = scene.codecs.get(topics.plan)!
  const records = plans
    .map((plan) => planRecord(plan))
    .map(({ hash, record }) => ({ key: Buffer.from(hash), value: codec.encode(record) }))
  await scene.log.append(topics.plan.name, 0, records)
}

/** Time goes on by seconds; samples are due, early, late or far too late, and some come again. */
const samples = fc
  .array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          id: fc.constantFrom('a', 'a', 'b', 'c'),
          shiftMs: fc.constantFrom(0, 0, -1_000, -2_500, -15_000, -90_000, 1_000, 25_000),
          latencyMs: fc.constantFrom(10, 60, 95, 150, 300),
        }),
      },
      {
        weight: 5,
        arbitrary: fc.record({ seconds: fc.constantFrom(1, 2, 3, 5, 14, -4), plan: fc.constantFrom(0, 0, 0, 0, 1, 2) }),
      },
      { weight: 1, arbitrary: fc.record({ copyOf: fc.nat(1_000) }) },
    ),
    { minLength: 20, maxLength: 120 },
  )
  .map((steps) => {
    const hashes = plans.map((plan) => planRecord(plan).hash)
    const facts: Sample[] = []
    let now = 1_000_000
    for (const step of steps) {
      if ('id' in step) facts.push(probeOf(step.id, Math.round((now + step.shiftMs) / 500) * 500, 0, step.latencyMs))
      else if ('copyOf' in step) facts.push(...facts.slice(step.copyOf % Math.max(1, facts.length)).slice(0, 1))
      else {
        now += step.seconds * SECOND_MS
        facts.push(tickAt(now, hashes[step.plan]!))
      }
    }
    return facts
  })

test('rollup and alerter say the same as in a run without faults, whatever happens to them', async () => {
  await assertExactlyOnce(services, samples, 60)
}, 120_000)
