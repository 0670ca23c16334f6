import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parsePlan, planRecord } from '#lib/codec/plan-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { Plan, Rule } from '#lib/plan.ts'

const rule: Rule = {
  id: 'latency_p95',
  match: '*',
  thresholdMs: 5000,
  warningAfter: 2,
  criticalAfter: 3,
  minSamples: 3,
  errorRatio: 0.5,
  noDataAfterSlots: 2,
  maxInsufficient: 3,
  resolveAfter: 2,
  resolveBelow: 0.9,
  reminderMs: 14_400_000,
}

const plan: Plan = {
  engine: 1,
  tickIntervalMs: 60_000,
  windowMs: 3_600_000,
  graceMs: 600_000,
  latenessMs: 1_209_600_000,
  calendar: { kind: 'fx', holidays: ['2026-12-25'], tzdata: '2026a' },
  sources: [{ id: '口座_α', intervalMs: 900_000, phaseMs: 0, labels: { desk: 'fx', camelKey: 'x', snake_key: 'y' } }],
  rules: [rule],
  locale: 'ja',
  week: 'iso-week',
  datasetRows: { ev_history: 200 },
}

test('a plan is canonical JSON with snake_case names, and its key is the sha256 of that text', () => {
  const { hash, record } = planRecord(plan)
  expect(record.canonicalJson).toBe(
    '{"calendar":{"holidays":["2026-12-25"],"kind":"fx","tzdata":"2026a"},"dataset_rows":{"ev_history":200},"engine":1,' +
      '"grace_ms":600000,"lateness_ms":1209600000,"locale":"ja","rules":[{"critical_after":3,"error_ratio":0.5,"id":"latency_p95",' +
      '"match":"*","max_insufficient":3,"min_samples":3,"no_data_after_slots":2,"reminder_ms":14400000,"resolve_after":2,' +
      '"resolve_below":0.9,"threshold_ms":5000,"warning_after":2}],"sources":[{"id":"口座_α","interval_ms":900000,' +
      '"labels":{"camelKey":"x","desk":"fx","snake_key":"y"},"phase_ms":0}],"tick_interval_ms":60000,"week":"iso-week",' +
      '"window_ms":3600000}',
  )
  expect(hash).toBe(sha256Hex(record.canonicalJson))
})

test('any plan is read back as it was, and has the same hash again', () => {
  fc.assert(
    fc.property(plans(), (any) => {
      const { hash, record } = planRecord(any)
      expect(parsePlan(record.canonicalJson)).toEqual(any)
      expect(planRecord(parsePlan(record.canonicalJson)).hash).toBe(hash)
    }),
  )
})

test('fields of a later build are left out', () => {
  const later = { ...changed(plan), lookback_ms: 1, calendar: { ...changed(plan).calendar, zone: 'Asia/Tokyo' } }
  expect(parsePlan(JSON.stringify(later))).toEqual(plan)
})

describe('a plan that is none is refused, and the message names the field', () => {
  const json = JSON.parse(planRecord(plan).record.canonicalJson)
  const faults: readonly [string, unknown, string][] = [
    ['missing', { ...json, grace_ms: undefined }, "a plan's grace_ms is missing, not an integer"],
    ['text for a number', { ...json, window_ms: '1h' }, 'window_ms is "1h", not an integer'],
    ['a fraction', { ...json, engine: 1.5 }, 'engine is 1.5, not an integer'],
    ['an unknown locale', { ...json, locale: 'fr' }, 'locale is "fr", not en or ja'],
    ['null for an object', { ...json, calendar: null }, 'calendar is null, not an object'],
    ['an object for a list', { ...json, rules: {} }, 'rules is {}, not an array'],
    ['deep in a list', { ...json, rules: [{ ...json.rules[0], error_ratio: '1' }] }, 'rules[0].error_ratio is "1"'],
    [
      'deep in a map',
      { ...json, sources: [{ ...json.sources[0], labels: { desk: 1 } }] },
      'sources[0].labels.desk is 1',
    ],
    ['no object at all', [], 'a plan is [], not an object'],
  ]

  test.each(faults)('%s', (_, value, message) => {
    expect(() => parsePlan(JSON.stringify(value))).toThrow(
      expect.objectContaining({ code: 'OBS_RECORD_INVALID', message: expect.stringContaining(message) }),
    )
  })

  test('no JSON, a name twice, __proto__', () => {
    for (const text of ['', '{"engine":1,"engine":2}', '{"__proto__":{}}'])
      expect(() => parsePlan(text)).toThrow(expect.objectContaining({ code: 'OBS_RECORD_INVALID' }))
  })
})

function changed(value: Plan): { readonly calendar: object } {
  return JSON.parse(planRecord(value).record.canonicalJson)
}

function plans(): fc.Arbitrary<Plan> {
  const count = fc.nat()
  const share = fc.double({ min: 0, max: 1, noNaN: true }).filter((value) => !Object.is(value, -0))
  const text = fc.string({ unit: 'grapheme' })
  const key = text.filter((candidate) => candidate !== '__proto__')
  const source = { id: text, intervalMs: count, phaseMs: count, labels: fc.dictionary(key, text) }
  const counts = Object.fromEntries(Object.keys(rule).map((name) => [name, count])) as Record<keyof Rule, typeof count>
  const rules = fc.record({ ...counts, id: text, match: text, errorRatio: share, resolveBelow: share })
  return fc.record({
    engine: count,
    tickIntervalMs: count,
    windowMs: count,
    graceMs: count,
    latenessMs: count,
    calendar: fc.record({ kind: fc.constantFrom('always', 'fx'), holidays: fc.array(text), tzdata: text }),
    sources: fc.array(fc.record(source), { maxLength: 3 }),
    rules: fc.array(rules, { maxLength: 3 }),
    locale: fc.constantFrom('en', 'ja'),
    week: fc.constantFrom('iso-week', 'fx-week'),
    datasetRows: fc.dictionary(key, count),
  })
}
