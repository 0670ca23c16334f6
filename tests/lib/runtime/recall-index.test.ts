import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Cause, compareCauses } from '#lib/cause.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import { RecallIndex } from '#lib/runtime/recall-index.ts'
import { derivedHeaders } from '#lib/runtime/record-headers.ts'
import { DAY_MS } from '#lib/time.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

interface Said {
  readonly name: string
  readonly cause: Cause
}

const TOPIC = topics.window.name

/** Facts of four names, some of them said twice, as an owner and a late request of the one before leave them. */
const history = fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), isCopy: fc.boolean() }), {
  minLength: 1,
  maxLength: 40,
})

test('what was said last about a name is found, however little is remembered and whatever was compacted', async () => {
  await fc.assert(
    fc.asyncProperty(
      history,
      fc.nat(50),
      fc.integer({ min: 1, max: 12 }),
      fc.boolean(),
      async (steps, before, remembered, compact) => {
        const clock = new ManualClock(DAY_MS)
        const log = openMemoryLog({ clock, partitions: 1 })
        await log.topics.apply(catalogue)
        const index = new RecallIndex(log, TOPIC, 0, remembered)
        const said: Said[] = []
        const asks = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, notBefore: 0 }))
        for (const [i, { name, isCopy }] of steps.entries()) {
          const fact = (isCopy && said.at(-1)) || { name, cause: [i, 0] }
          said.push(fact)
          clock.advance(1_000)
          const key = Buffer.from(`${fact.name}/r${fact.cause[0]}`)
          await log.append(TOPIC, 0, [
            { key, value: key, headers: derivedHeaders(fact.cause, { offset: i, crc: '00000000' }) },
          ])
          if (i % 5 === 0) await index.newestOf(asks, [i + 1])
        }
        if (compact) clock.advance(16 * DAY_MS)
        if (compact) await log.topics.compact([topics.window])

        const found = await index.newestOf(asks, [before])
        for (const { name } of asks) {
          const newest = said
            .filter((fact) => fact.name === name && compareCauses(fact.cause, [before]) < 0)
            .toSorted((a, b) => compareCauses(b.cause, a.cause))[0]
          expect(found.get(name)?.key.toString()).toBe(newest && `${name}/r${newest.cause[0]}`)
        }
      },
    ),
    { numRuns: 200 },
  )
})
