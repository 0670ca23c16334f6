import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type DryRunMessage, formatDryRun, isMessageId, parseDryRun } from '#lib/delivery/dry-run-file.ts'
import type { DeliveryDecision } from '#lib/delivery/facts.ts'

const ID = `msg_${'0a'.repeat(16)}`

const decision = ({ channel, messageId, type, body }: DryRunMessage, send = true): DeliveryDecision => ({
  ...{ type: 'decision', subject: 's', channel, messageId, decidedAt: 0, send, code: 'routed', reason: 'r' },
  ...{ commands: [], channelConfig: 'c', messageType: type, body, dryRun: true },
})

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((one) => one.isWellFormed())
const message: fc.Arbitrary<DryRunMessage> = fc.record({
  channel: text,
  messageId: fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 })
    .map((id) => `msg_${id}`),
  type: text,
  body: fc.dictionary(text, text).map((body) => JSON.stringify(body)),
})

test('what was written is read back in its order, one message a line; what is held back is left out', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(message, fc.boolean()), { maxLength: 5 }), (all) => {
      const sent = all.filter(([, send]) => send).map(([one]) => one)
      const written = formatDryRun(all.map(([one, send]) => decision(one, send)))
      expect(parseDryRun(written, 'file')).toEqual(sent)
      expect(written.trimEnd().split('\n').length).toBe(sent.length === 0 ? 1 : sent.length + 2)
    }),
  )
})

describe('a file that is none names the entry, from 1, and what it lacks', () => {
  const entry = { channel: 'ops', message_id: ID, type: 't', body: '{}' }
  const fault = (...entries: readonly unknown[]): string => {
    try {
      parseDryRun(JSON.stringify(entries), 'out/a.json')
    } catch (error) {
      expect(error).toMatchObject({ code: 'OBS_INPUT_INVALID' })
      return /^out\/a\.json is not the file of a dry run: (.*?)\. One is/.exec((error as Error).message)![1]!
    }
    return 'none'
  }

  test('other members are left alone', () => {
    expect(fault(entry, { ...entry, more: 1 })).toBe('none')
  })

  test.each(['channel', 'message_id', 'type', 'body'])('%s', (member) => {
    for (const value of [undefined, null, '', 1])
      expect(fault(entry, { ...entry, [member]: value })).toBe(`entry 2 has no ${member}`)
  })

  test.each([[null], [1], ['text'], [[]]])('%j in place of an entry', (one) => {
    expect(fault(one)).toBe('entry 1 has no channel')
  })

  test.each(['null', '[]', '1', '"text"', '{'])('%s in place of a body', (body) => {
    expect(fault({ ...entry, body })).toBe('entry 1 has a body that is no message')
  })
})

test.each([
  [ID, true],
  [`${ID}0`, false],
  [ID.slice(0, -1), false],
  [`${ID}\n`, false],
  [` ${ID}`, false],
  [ID.toUpperCase(), false],
  [`msg_${'0A'.repeat(16)}`, false],
  ['0a'.repeat(16), false],
])('%j is a message id: %s', (id, isOne) => {
  expect(isMessageId(id)).toBe(isOne)
})
