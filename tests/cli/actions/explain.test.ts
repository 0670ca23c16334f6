import { beforeEach, describe, expect, test } from '@jest/globals'
import type { DeliveryFact } from '#lib/delivery/facts.ts'
import { messageName } from '#lib/delivery/message-name.ts'
import { MINUTE_MS } from '#lib/time.ts'
import { unacknowledgedSubject } from '#services/alerter/courier/subjects.ts'
import { ALERT, attempted, type DeliveryDesk, decided, nameOf, openDeliveryDesk, transition } from './delivery-desk.ts'

let desk: DeliveryDesk
beforeEach(async () => {
  desk = await openDeliveryDesk()
  await desk.raise(transition('opened', 1, { about: 'no_data' }), transition('escalated', 2))
})

const explain = async (...facts: readonly DeliveryFact[]) => {
  await desk.claim(...facts)
  return (await desk.run(['explain', ALERT])).stdout
}
const FIRST = nameOf('ops', '0001')
const SECOND = nameOf('ops', '0002')
const accepted = { result: 'accepted', status: 200 } as const

describe('of each message it tells how it stands with it', () => {
  test('it is tried again, and when', async () => {
    const next = Date.now() + MINUTE_MS
    const shown = await explain(decided(FIRST), ...attempted(FIRST, 1, { nextAttemptAt: next }))
    expect(shown).toMatch(/0001 opened → ops: not delivered yet, next attempt at 20\S+Z; the route names it \(decided/)
    expect(shown).toMatch(/attempt 1 at \S+: retry \(503\) after 1 ms$/m)
  })

  test('it was due, and no courier came to it', async () => {
    expect(await explain(decided(FIRST), ...attempted(FIRST, 1, { nextAttemptAt: Date.now() - 1 }))).toContain(
      '0001 opened → ops: not delivered yet, next attempt due since 20',
    )
  })

  test('it was given up', async () => {
    expect(await explain(decided(FIRST), ...attempted(FIRST, 1, { result: 'rejected', status: 400 }))).toContain(
      '0001 opened → ops: given up; ',
    )
  })

  test('it was given up for something newer, once its fast attempts were used up', async () => {
    const failed = [1, 2, 3, 4].flatMap((n) => attempted(FIRST, n, { nextAttemptAt: Date.now() + MINUTE_MS }))
    expect(await explain(decided(FIRST), ...failed, decided(SECOND))).toContain(
      `0001 opened → ops: given up: ${ALERT}/0002 is told in its place; `,
    )
  })

  test('it was overtaken by something newer that was accepted', async () => {
    const facts = [
      decided(FIRST),
      ...attempted(FIRST, 1, { nextAttemptAt: Date.now() - 1 }),
      decided(SECOND),
      ...attempted(SECOND, 1, accepted),
    ]
    const shown = await explain(...facts)
    expect(shown).toContain(`0001 opened → ops: given up: ${ALERT}/0002 is told instead; the route names it`)
    expect(shown).toContain('0002 escalated → ops: delivered; ')
    const { summary } = await desk.run(['explain', ALERT, '--json'])
    expect(summary['transitions']).toMatchObject([
      { messages: [{ state: 'overtaken', overtaken_by: `${ALERT}/0002` }] },
      { messages: [{ state: 'delivered', overtaken_by: null }] },
    ])
  })
})

test('that nobody acknowledged it stands where it was said', async () => {
  await desk.raise(transition('resolved', 3))
  const subject = unacknowledgedSubject(ALERT)
  const called = decided(messageName('local', subject, 'slack'))
  const told = { send: false, body: null, messageType: null, channel: '*', reason: 'no channel was told' } as const
  const shown = await explain(decided(FIRST), decided(SECOND), called, decided(nameOf('*', '0003'), told))
  const lines = shown.split('What was sent to whom\n')[1]!.split('\n')
  expect(lines.map((line) => line.trim().split(/[:,;]/)[0])).toEqual([
    '0001 opened → ops',
    '0002 escalated → ops',
    'unacknowledged → slack',
    '0003 resolved → nobody',
    '',
  ])
  expect(lines[3]).toBe('  0003 resolved → nobody: no channel was told')
})

describe('the line below its id', () => {
  test('of an open one tells since when, and how late it changed last', async () => {
    expect(await explain()).toContain(`${ALERT}\nopen, critical, since 2026-06-27T22:10:00Z; escalated after 2h\n`)
  })

  test('of one that is over tells since when, whatever was corrected later', async () => {
    await desk.raise(transition('resolved', 3), transition('annotated', 4))
    expect(await explain()).toContain(
      `${ALERT}\nresolved, critical, since 2026-06-28T01:10:00Z; it had been open for 3h, from 2026-06-27T22:10:00Z\n`,
    )
  })
})
