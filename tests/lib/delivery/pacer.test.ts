import { expect, test } from '@jest/globals'
import { Pacers } from '#lib/delivery/pacer.ts'
import { SECOND_MS } from '#lib/time.ts'
import { eventually } from '#tests/support/eventually.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

const { signal } = new AbortController()

test('a receiver is met with 32 requests at once and no more, and none waits for another', async () => {
  const pacers = new Pacers(new ManualClock(0))
  const running = { ops: 0, pd: 0 }
  const most = { ops: 0, pd: 0 }
  const release = Promise.withResolvers<void>()
  const all = (['ops', 'pd'] as const).flatMap((receiver) =>
    Array.from({ length: 100 }, () =>
      pacers.inTurn(receiver, { intervalMs: 0, signal }, async () => {
        most[receiver] = Math.max(most[receiver], ++running[receiver])
        await release.promise
        running[receiver]--
      }),
    ),
  )
  await eventually(() => running.ops === 32 && running.pd === 32)
  release.resolve()
  await Promise.all(all)
  expect(most).toEqual({ ops: 32, pd: 32 })
})

test('works for one receiver begin in the order they were asked for, an interval apart', async () => {
  const clock = new ManualClock(0)
  const pacers = new Pacers(clock)
  const begun: [number, number][] = []
  const all = [1, 2, 3].map((n) =>
    pacers.inTurn('chat', { intervalMs: SECOND_MS, signal }, async () => void begun.push([n, clock.now()])),
  )
  await eventually(() => {
    clock.advance(100)
    return begun.length === 3
  })
  await Promise.all(all)
  expect(begun.map(([n]) => n)).toEqual([1, 2, 3])
  for (const [i, [, at]] of begun.entries()) if (i > 0) expect(at - begun[i - 1]![1]).toBeGreaterThanOrEqual(SECOND_MS)
})

test('who waits when everything stops does nothing', async () => {
  const pacers = new Pacers(new ManualClock(0))
  const stopping = new AbortController()
  const pace = { intervalMs: SECOND_MS, signal: stopping.signal }
  expect(await pacers.inTurn('chat', pace, async () => 'first')).toBe('first')
  const second = pacers.inTurn('chat', pace, async () => 'second')
  stopping.abort()
  expect(await second).toBeUndefined()
})
