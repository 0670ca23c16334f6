import { createHash } from 'node:crypto'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { factFromJson, factJson, factSha256 } from '#lib/codec/fact-json.ts'
import { parseJson } from '#lib/codec/parse-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { Gap } from '#lib/facts.ts'
import { schemaTopics, valuesOf } from './topic-values.ts'

const gap: Gap = {
  source: 'router_demo',
  firstSlotAt: 1_782_514_800_000,
  slotAt: 1_782_515_700_000,
  missingCount: 2,
  decidedAt: 1_782_516_000_000,
  ruleId: null,
  plan: 'ab',
  type: 'gap',
}

test('a fact in JSON has snake_case names, whole milliseconds, and its type first', () => {
  expect(JSON.stringify(factJson(gap))).toBe(
    '{"type":"gap","source":"router_demo","first_slot_at":1782514800000,"slot_at":1782515700000,"missing_count":2,"decided_at":1782516000000,"rule_id":null,"plan":"ab"}',
  )
})

test('its hash can be made with any sha256 over its canonical JSON', () => {
  // printf '%s' '{…}' | sha256sum
  const text =
    '{"decided_at":1782516000000,"first_slot_at":1782514800000,"missing_count":2,"plan":"ab","rule_id":null,"slot_at":1782515700000,"source":"router_demo","type":"gap"}'
  expect(canonicalJson(factJson(gap))).toBe(text)
  expect(factSha256(gap)).toBe('20ffcd8ad1010072b7c94de4464e1f658e8a0822ff1d0b94b1563035ea977630')
})

test('the order of fields makes no difference to the hash', () => {
  const shuffled = Object.fromEntries(Object.entries(gap).toReversed())
  expect(factSha256(shuffled)).toBe(factSha256(gap))
})

test.each(schemaTopics.map((topic) => [topic.name, topic] as const))(
  'JSON of %s is read back as the value',
  (_, topic) => {
    fc.assert(
      fc.property(valuesOf(topic).filter(hasExactNumbers), (value) => {
        const text = canonicalJson(factJson(value))
        const json = parseJson(text) as ReturnType<typeof factJson>
        expect(factFromJson(json)).toEqual(value)
        expect(factSha256(value)).toBe(createHash('sha256').update(text, 'utf8').digest('hex'))
      }),
    )
  },
)

/** fast-check draws -0 too, which JSON writes as 0. */
function hasExactNumbers(value: object): boolean {
  return !JSON.stringify(value, (_, member) => (Object.is(member, -0) ? 'minus zero' : member)).includes('minus zero')
}

test('sha256 of the published vectors', () => {
  expect(sha256Hex('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  expect(sha256Hex(Buffer.from('é'))).toBe(sha256Hex('é'))
})
