import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { hours, MONDAY, run } from '../desk.ts'
import { CourierDesk } from './courier-desk.ts'

/** Four openings and ends within half a day are flapping. Each episode here lasts two hours, and two lie between them. */
const EPISODE = 'B B R R'
const episodes = (count: number): string => Array(count).fill(EPISODE).join(' ')

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(MONDAY)
  desk.routes({ critical: ['ops'] })
})
afterEach(() => desk.close())

/** Lives through a story hour by hour, with a courier that tells each transition when it is decided. */
async function live(story: string, fromHour = 0): Promise<void> {
  const letters = story.split(' ')
  for (let hour = fromHour + 1; hour <= letters.length; hour++) {
    const facts = hours(letters.slice(0, hour).join(' '))
    const known = hour === 1 ? 0 : run(hours(letters.slice(0, hour - 1).join(' '))).length
    desk.clock.advance(Math.max(facts.at(-1)!.value.decidedAt - desk.clock.now(), 0))
    await desk.append(facts, known)
    await desk.tellAll()
  }
}

const toldToOps = async () => (await desk.told()).filter((line) => line.includes(' ops '))
const notices = () => desk.textsAt('webhook').filter((text) => text.includes('further openings are held back'))

test('flapping is told once for as long as it lasts, however long that is', async () => {
  await live(episodes(7))
  expect(await toldToOps()).toEqual([
    '0 ops routed: accepted',
    '1 ops told_before: accepted',
    '0 ops routed: accepted',
    '1 ops flapping_notice: accepted',
    ...Array(5).fill('0 ops flapping'),
  ])
  expect(notices().length).toBe(1)
})

test('and by a courier that has to decide about many episodes at once', async () => {
  await desk.append(hours(episodes(4)))
  await desk.tellAll()
  expect(await toldToOps()).toEqual([
    '0 ops routed: accepted',
    '1 ops told_before: accepted',
    '0 ops routed: accepted',
    '1 ops flapping_notice: accepted',
    '0 ops flapping',
    '0 ops flapping',
  ])
})

test('when it began under a silence, the first opening after the silence is told, with the notice', async () => {
  const matchers = [{ name: 'source', op: 'equal', value: 'router_demo' }] as const
  const said = { by: 'ann', reason: 'maintenance', at: MONDAY, startsAt: MONDAY }
  await desk.command({ type: 'silence', ...said, matchers, endsAt: MONDAY + 9 * HOUR_MS })
  await live(episodes(5))
  expect(await toldToOps()).toEqual([
    '0 ops silenced',
    '0 ops silenced',
    '0 ops flapping_notice: accepted',
    '1 ops told_before: accepted',
    '0 ops flapping',
    '0 ops flapping',
  ])
  expect(notices()).toEqual([expect.stringContaining('it opened and ended 5 times within 12h')])
})

test('a courier that comes back after hours tells the open alert of a flapping source, with the notice', async () => {
  desk.clock.advance(10 * HOUR_MS + 10 * MINUTE_MS)
  await desk.append(hours('B B R R B B R R B B'))
  desk.clock.advance(5 * HOUR_MS)
  await desk.tellAll()
  expect(await toldToOps()).toEqual(['0 ops superseded', '0 ops superseded', '0 ops flapping_notice: accepted'])
  expect(notices()).toEqual([expect.stringContaining('it opened and ended 5 times within 12h')])
})

test('it is told of anew once it has calmed down in between', async () => {
  const calm = Array(14).fill('O').join(' ')
  await live(`${episodes(2)} ${calm} ${episodes(3)}`)
  expect(notices().length).toBe(2)
})
