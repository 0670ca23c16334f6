import { expect, test } from '@jest/globals'
import { laneOf } from '#lib/delivery/message-name.ts'
import {
  channelSubject,
  endOf,
  houseNoticeOf,
  isOfHouse,
  parseSamplerSubject,
  samplerSubject,
} from '#services/alerter/courier/house-subjects.ts'
import { alertIdOf, unacknowledgedSubject } from '#services/alerter/courier/subjects.ts'

const AT = Date.parse('2026-06-27T20:00:00.250Z')
const ALERT = 'breach/latency_p95/router_demo/2026-06-27T20:00:00Z'

test('a failing channel is one subject a day, for each channel and reason', () => {
  expect(channelSubject('ops', 'gone', AT)).toBe('channel/ops/gone/2026-06-27')
  expect(channelSubject('a/b', 'unauthorized', AT)).toBe('channel/a%2Fb/unauthorized/2026-06-27')
})

test('a silence of the sampler is known by the instant of the last tick before it, and read back', () => {
  expect(samplerSubject(AT, 'silent')).toBe('sampler/2026-06-27T20:00:00.250Z/silent')
  for (const what of ['silent', 'back'] as const)
    expect(parseSamplerSubject(samplerSubject(AT, what))).toEqual({ sinceAt: AT, what })
  for (const other of [
    `${ALERT}/0001`,
    'sampler/x',
    `${samplerSubject(AT, 'back')}/x`,
    channelSubject('ops', 'gone', AT),
  ])
    expect(parseSamplerSubject(other)).toBeUndefined()
})

test('the house is what concerns no alert', () => {
  const house = [channelSubject('ops', 'gone', AT), samplerSubject(AT, 'silent')]
  expect(house.map(isOfHouse)).toEqual([true, true])
  const alerts = [`${ALERT}/0001`, unacknowledgedSubject(ALERT), 'breach/channel/sampler/2026-06-27T20:00:00Z/0000']
  expect(alerts.map(isOfHouse)).toEqual([false, false, false])
})

test('all that is told of an alert on a channel waits for what came before, and no channel for another', () => {
  const lane = (subject: string, channel = 'ops') => laneOf({ subject, channel })
  expect(alertIdOf(`${ALERT}/0001`)).toBe(ALERT)
  expect(alertIdOf(unacknowledgedSubject(ALERT))).toBe(ALERT)
  expect(lane(`${ALERT}/0001`)).toBe(lane(`${ALERT}/0002`))
  expect(lane(unacknowledgedSubject(ALERT))).toBe(lane(`${ALERT}/0002`))
  expect(lane(`${ALERT}/0001`)).not.toBe(lane(`${ALERT}/0001`, 'pd'))
  expect(lane(`${ALERT}/0001`)).not.toBe(lane(`${ALERT}x/0001`))
})

test('what was told of the house can be told to somebody else, from its subject alone', () => {
  const decidedAt = AT + 1
  const noticeOf = (subject: string) => houseNoticeOf({ subject, decidedAt })
  const silence = { sinceAt: AT, at: decidedAt }
  expect(noticeOf(samplerSubject(AT, 'silent'))).toEqual({ kind: 'sampler_silent', ...silence })
  expect(noticeOf(samplerSubject(AT, 'back'))).toEqual({ kind: 'sampler_back', ...silence })
  const failed = { kind: 'channel_failed', channel: 'a/b', reason: 'gone', status: null, at: decidedAt }
  expect(noticeOf(channelSubject('a/b', 'gone', AT))).toEqual(failed)
})

test('only a silence has an end', () => {
  expect(endOf(samplerSubject(AT, 'silent'))).toBe(samplerSubject(AT, 'back'))
  expect([samplerSubject(AT, 'back'), channelSubject('ops', 'gone', AT)].map(endOf)).toEqual([undefined, undefined])
})
