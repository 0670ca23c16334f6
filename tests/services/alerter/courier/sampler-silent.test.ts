import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { CourierDesk, NOW } from './courier-desk.ts'

/** What people are told while the sampler is silent, and when it is back. */

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(NOW)
})
afterEach(() => desk.close())

describe('a sampler that falls silent', () => {
  const isTold = (what: string) => () => desk.textsAt('webhook').some((text) => text.includes(what))

  test('is told of after a minute without a tick, and so is its return', async () => {
    await desk.start()
    await desk.tick()
    await desk.until(isTold('sampler silent: no clock tick since'))
    expect(desk.clock.now()).toBeGreaterThan(NOW + MINUTE_MS)
    await desk.tick()
    await desk.until(isTold('ticks are back'))
    expect(desk.receivers.webhook.received.length).toBe(2)
  })

  test('is told of once, also by a courier that starts meanwhile, which hears its return', async () => {
    await desk.start()
    await desk.tick()
    await desk.until(isTold('sampler silent'))
    await desk.stop()
    await desk.start()
    const startedAt = desk.clock.now()
    await desk.until(() => desk.clock.now() > startedAt + 5 * MINUTE_MS)
    expect(desk.receivers.webhook.received.length).toBe(1)
    await desk.tick()
    await desk.until(isTold('ticks are back'))
  })

  test('is not told of when it was we who slept', async () => {
    await desk.start()
    await desk.tick()
    await desk.until(() => desk.clock.now() > NOW + 30_000)
    desk.clock.advance(2 * HOUR_MS)
    await desk.tick()
    const awakeAt = desk.clock.now()
    await desk.until(() => desk.clock.now() > awakeAt + 30_000)
    expect(desk.receivers.webhook.received.length).toBe(0)
    await desk.until(isTold('sampler silent'))
  })

  test('is not told of while ticks come, nor before the first one', async () => {
    await desk.start()
    await desk.until(() => desk.clock.now() > NOW + 5 * MINUTE_MS)
    for (let i = 0; i < 5; i++) {
      await desk.tick()
      const tickedAt = desk.clock.now()
      await desk.until(() => desk.clock.now() >= tickedAt + 50_000)
    }
    expect(desk.receivers.webhook.received.length).toBe(0)
  })
})
