import { describe, expect, test } from '@jest/globals'
import { alertIdIn } from '#cli/alert-name.ts'
import { alertKey } from '#lib/keys.ts'
import { evidenceUrl } from '#services/alerter/messages/notice.ts'

const BREACH = 'breach/p95/router_demo/2026-06-27T20:00:00Z'
const GAP = 'no_data/p95/router_demo/gap/2026-06-27T20:15:00Z'
const FOREIGN = 'breach/p95 %/ルータ%2Fdemo/2026-06-27T20:00:00Z'

const link = (id: string, publicUrl = 'https://obs.example') => evidenceUrl(id, { publicUrl })!

describe.each([BREACH, GAP, FOREIGN])('%s', (id) => {
  test.each([
    ['itself', id],
    ['with space around it', ` ${id}\n`],
    ['its evidence link', link(id)],
    ['the link below a path', link(id, 'http://127.0.0.1:8080/desk')],
    ['the link with a slash, a query or a fragment behind it', `${link(id)}/?from=mail#top`],
    ['the link in parentheses, at the end of a sentence', `(${link(id)}).`],
    ['the same without parentheses', `${link(id)}.`],
    ['the link as Slack writes it', `<${link(id)}|evidence>`],
    ['the last part of the link', encodeURIComponent(id)],
    ['the dedup key of PagerDuty', `obs:staging:${id}`],
    ['a transition', alertKey(id, 1)],
    ['its ten thousandth transition', alertKey(id, 10_000)],
    ['that nobody acknowledged it', `${id}/unacknowledged`],
    ['the id in the text for Slack', `[${id}]`],
  ])('%s', (_, text) => {
    expect(alertIdIn(text)).toBe(id)
  })
})

test.each([
  ['a link that a browser has decoded', `https://obs.example/alerts/${BREACH}`, BREACH],
  ['what is encoded badly', 'https://obs.example/alerts/breach%2', 'breach%2'],
  ['another link', 'https://obs.example/windows/a', 'https://obs.example/windows/a'],
  ['a part of an id', 'breach/p95/router', 'breach/p95/router'],
  ['nothing', '', ''],
])('%s', (_, text, id) => {
  expect(alertIdIn(text)).toBe(id)
})
