import { expect, test } from '@jest/globals'
import { readFacts } from '#lib/jobs/read-facts.ts'
import { codecOf } from '#lib/runtime/environment.ts'
import { DAY_MS, formatInstant } from '#lib/time.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'
import { openExhibit } from './exhibit.ts'
import { environmentOf } from './recorded-desk.ts'
import { plansOf } from './scenario.ts'

const { log, clock } = await openExhibit('engine-1-50-sources')
const env = await environmentOf(log, clock, '/nowhere')

/** Everything a topic of the recorded log holds, whatever schema it was written with. */
async function recorded<Topic extends TopicDefinition>(topic: Topic) {
  const facts: { readonly key: string; readonly value: ReturnType<ReturnType<typeof codecOf<Topic>>['decode']> }[] = []
  for (const { partition, earliest, end } of await log.offsets(topic.name))
    for await (const fact of readFacts(log, codecOf(env, topic), { partition, from: earliest, to: end }))
      facts.push(fact)
  return facts
}

const kindsOf = <Fact>(facts: readonly { readonly value: Fact }[], kind: (fact: Fact) => string): readonly string[] =>
  [...new Set(facts.map(({ value }) => kind(value)))].toSorted()

test('a plan of the large desk has fifty sources', () => {
  expect(new Set(plansOf(1, 50).friday.sources.map(({ id }) => id)).size).toBe(50)
})

test('the large desk was recorded for three days, and its plan changed', async () => {
  const ticks = (await recorded(topics.sample)).flatMap(({ value }) => (value.type === 'tick' ? [value] : []))
  const times = ticks.map(({ at }) => at)
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(3 * DAY_MS)
  expect(new Set(ticks.map(({ plan }) => plan)).size).toBe(2)
})

test('it had failures, strangers and copies, late samples and early ones', async () => {
  const samples = (await recorded(topics.sample)).filter(({ value }) => value.type === 'probe')
  expect(kindsOf(samples, (sample) => (sample.type === 'probe' ? sample.outcome : ''))).toEqual([
    'error',
    'ok',
    'skipped',
    'timeout',
  ])
  const ids = samples.map(({ key, value }) =>
    value.type === 'probe' ? `${key}/${formatInstant(value.scheduledAt)}/${value.ordinal}` : '',
  )
  expect(new Set(ids).size).toBeLessThan(ids.length)
})

test('every kind of fact followed from it', async () => {
  const said = await recorded(topics.window)
  expect(kindsOf(said, (fact) => (fact.type === 'window' ? fact.verdict : fact.type))).toEqual([
    'breach',
    'closed',
    'gap',
    'insufficient',
    'ok',
    'rejected',
    'retired',
  ])
  expect(kindsOf(said, (fact) => (fact.type === 'rejected' ? fact.reason : ''))).toEqual(['', 'too_early', 'too_late'])
  expect(kindsOf(said, (fact) => (fact.type === 'window' && fact.revision > 0 ? 'revised' : ''))).toContain('revised')
  const alerts = await recorded(topics.alert)
  expect(kindsOf(alerts, ({ about }) => about)).toEqual(['breach', 'no_data'])
  expect(kindsOf(alerts, ({ kind }) => kind)).toEqual(['annotated', 'escalated', 'opened', 'reminded', 'resolved'])
  expect((await recorded(topics.job)).length).toBeGreaterThan(20)
})
