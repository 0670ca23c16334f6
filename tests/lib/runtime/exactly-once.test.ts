import { test } from '@jest/globals'
import fc from 'fast-check'
import { topics } from '#lib/topics.ts'
import { anyService } from '#tests/support/owners.ts'
import { assertExactlyOnce, type Chain, probeOf, type Sample, tickAt } from '#tests/support/play.ts'
import { sums, tally } from '#tests/support/toy-folds.ts'

const toys: Chain = {
  services: () => [anyService(tally), anyService(sums)],
  outputs: [topics.window, topics.alert],
  prepare: async () => {},
}

/** Samples and ticks in turn; some ticks are stale, some samples twice. */
const samples = fc
  .array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.tuple(fc.constantFrom('a', 'b'), fc.nat(4), fc.nat(1)).map((parts) => ({ probe: parts })),
      },
      { weight: 2, arbitrary: fc.integer({ min: -1, max: 2 }).map((seconds) => ({ seconds })) },
    ),
    { minLength: 20, maxLength: 90 },
  )
  .map((steps) => {
    let now = 0
    return steps.map((step): Sample => {
      if ('probe' in step) return probeOf(step.probe[0], now + step.probe[1], step.probe[2], 1)
      now += step.seconds * 1_000
      return tickAt(Math.max(0, now), 'p')
    })
  })

test('whatever dies, gets lost, lands late, runs twice or is compacted, readers see the facts of a run without faults', async () => {
  await assertExactlyOnce(toys, samples, 80)
}, 120_000)
