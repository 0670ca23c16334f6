import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { answering, type Behaviour, raw } from '#tests/support/receiver.ts'
import { hours } from '../desk.ts'
import { CourierDesk, NOW } from './courier-desk.ts'

/** Every row of the table of answers, and what the lack of one means, on every channel. */

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(NOW)
})
afterEach(() => desk.close())

describe('what an answer means', () => {
  const RETRIES = 3
  /** Status, what comes of it, and how often it is sent while the receiver goes on like that. */
  const rows: readonly (readonly [number, string, number])[] = [
    ...[200, 201, 202, 204, 299].map((status) => [status, 'accepted', 1] as const),
    ...[300, 301, 302, 303, 307, 308].map((status) => [status, 'redirect', 1] as const),
    ...[400, 404, 405, 406, 409, 411, 413, 415, 422, 451].map((status) => [status, 'rejected', 1] as const),
    ...[401, 403].map((status) => [status, 'unauthorized', 1] as const),
    [410, 'gone', 1],
    ...[408, 425, 429, 500, 501, 502, 503, 504, 599].map((status) => [status, 'retry', 1 + RETRIES] as const),
  ]
  const channels = [
    ['webhook', 'ops'],
    ['pagerduty', 'pd'],
    ['slack', 'chat'],
  ] as const

  test.each(channels.flatMap(([kind, name]) => rows.map((row) => [kind, name, ...row] as const)))(
    '%s (%s) answers %i: %s, sent %i times',
    async (kind, name, status, result, times) => {
      const hasBody = status !== 204
      desk.receivers[kind].follow(answering(status, hasBody ? 'ok' : ''))
      desk.routes({ warning: [name], owner: [] })
      await desk.append(hours('B B'))
      await desk.tellAll()
      // Slack says that it took a message by 200 and `ok`, and by nothing else.
      const isWrongKindOfYes = kind === 'slack' && result === 'accepted' && status !== 200
      const expected = isWrongKindOfYes ? 'rejected' : result
      expect((await desk.told()).slice(0, 1)).toEqual([`0 ${name} routed: ${Array(times).fill(expected).join(' ')}`])
      expect(desk.receivers[kind].received.length).toBe(times)
    },
  )
})

describe('what the lack of an answer means', () => {
  /** What the receiver does once it has read the request, and what comes of it. */
  const rows: readonly (readonly [string, Behaviour])[] = [
    ['closes', raw('', 'end')],
    ['breaks the connection', raw('', 'reset')],
    ['answers half a head, then closes', raw('HTTP/1.1 20', 'end')],
    ['answers no HTTP', raw('SSH-2.0-OpenSSH_9.2\r\n', 'end')],
  ]
  const kinds = ['webhook', 'pagerduty', 'slack'] as const

  test.each(kinds.flatMap((kind) => rows.map((row) => [kind, ...row] as const)))(
    '%s reads, then %s: it may have arrived',
    async (kind, _, behaviour) => {
      desk.receivers[kind].follow(behaviour)
      expect(await toldOnceOn(kind)).toMatch(/ routed: unknown$/)
      expect(desk.receivers[kind].received.length).toBe(1)
    },
  )

  test.each(kinds)('nobody listens at %s: it has not arrived', async (kind) => {
    await desk.receivers[kind].close()
    expect(await toldOnceOn(kind)).toMatch(/ routed: retry$/)
  })

  async function toldOnceOn(kind: (typeof kinds)[number]): Promise<string> {
    const { name } = desk.config.channels.find((channel) => channel.kind === kind)!
    desk.delivery({ maxRetries: 0 })
    desk.routes({ warning: [name] })
    await desk.append(hours('B B'))
    await desk.tellAll()
    return (await desk.told())[0]!
  }
})
