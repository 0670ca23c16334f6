import { describe, expect, test } from '@jest/globals'
import canonicalize from 'canonicalize'
import { compose } from '#services/alerter/messages/compose.ts'
import { type MessageContext, type Notice, textOf } from '#services/alerter/messages/notice.ts'
import { at, hours } from '../desk.ts'
import { everyNotice, inEnglish, inJapan, newestOf, others, tellOf, transitions } from './told.ts'

const composed = (notice: Notice, context: MessageContext = inEnglish) => compose({ kind: 'slack' }, notice, context)!

const messageOf = (notice: Notice, context?: MessageContext) => JSON.parse(composed(notice, context).body)

const BREACH_AT_20 = 'breach/latency_p95/router_demo/2026-06-22T20:00:00Z'
const CUT = 'the text was cut: Slack takes no more'

const mrkdwn = (text: string): object => ({ type: 'mrkdwn', text, verbatim: true })
const section = (text: string): object => ({ type: 'section', text: mrkdwn(text) })
const footer = (...texts: readonly string[]): object => ({ type: 'context', elements: texts.map(mrkdwn) })
const link = (id: string): string => `<https://obs.example/alerts/${encodeURIComponent(id)}|evidence>`

const TABLE = [20, 21, 22].map((hour) => `router_demo/2026-06-22T${hour}:00:00Z/r0  p95 812 ms  n 4  breach`).join('\n')

describe('a transition', () => {
  test('in English: the line, the windows it rests on, and where to look', () => {
    const line =
      'CRITICAL router_demo: p95 812 ms &gt; 500 ms, 3rd hour running (20:00–23:00 UTC), n = 4/4/4. Why sent: 3 of 3.'
    expect(messageOf(tellOf(transitions.escalated))).toEqual({
      text: `${line} https://obs.example/alerts/${encodeURIComponent(BREACH_AT_20)} [${BREACH_AT_20}]`,
      blocks: [
        section(line),
        section(`\`\`\`${TABLE}\`\`\``),
        footer(`${BREACH_AT_20} · staging · ${link(BREACH_AT_20)}`),
      ],
    })
  })

  test('in Japanese', () => {
    const line =
      '重大 router_demo: p95 812 ms &gt; 500 ms が3時間連続(JST 05:00–08:00)、サンプル 4/4/4。通知理由: 連続3回。'
    expect(messageOf(tellOf(transitions.escalated, 'ja'), inJapan)).toEqual({
      text: `${line}https://obs.example/alerts/${encodeURIComponent(BREACH_AT_20)} [${BREACH_AT_20}]`,
      blocks: [
        section(line),
        section(`\`\`\`${TABLE}\`\`\``),
        footer(`${BREACH_AT_20} · staging · ${link(BREACH_AT_20)}`),
      ],
    })
  })

  test('without a public address has no link', () => {
    const { text, blocks } = messageOf(tellOf(transitions.escalated), { ...inEnglish, publicUrl: null })
    expect(text).toMatch(/Why sent: 3 of 3\. \[breach\//)
    expect(blocks.at(-1)).toEqual(footer(`${BREACH_AT_20} · staging`))
  })

  test.each([
    ['opened', 'obs.alert.opened', ['p95 812 ms  n 4  breach', 'p95 812 ms  n 4  breach']],
    ['reminded', 'obs.alert.reminded', ['p95 450 ms  n 4  ok']],
    ['resolved', 'obs.alert.resolved', ['p95 449 ms  n 4  ok', 'p95 449 ms  n 4  ok']],
    ['annotated', 'obs.alert.annotated', ['p95 450 ms  n 4  ok']],
    ['silent', 'obs.alert.opened', ['p95 – ms  n 0  gap']],
    ['silent again', 'obs.alert.escalated', ['p95 – ms  n 0  gap', 'p95 – ms  n 0  gap']],
    ['samples again', 'obs.alert.resolved', ['p95 449 ms  n 4  ok']],
  ] as const)('%s', (name, type, rows) => {
    for (const context of [inEnglish, inJapan]) {
      const notice = tellOf(transitions[name], context.locale)
      const line = textOf(notice, { ...context, publicUrl: null }).replaceAll('>', '&gt;')
      const { text, blocks } = messageOf(notice, context)
      expect(composed(notice, context)).toMatchObject({ type, cut: null })
      expect(text.startsWith(line)).toBe(true)
      expect(text.endsWith(` [${notice.alert.alertId}]`)).toBe(true)
      expect(blocks[0]).toEqual(section(line))
      const shown: string[] = blocks[1].text.text.slice(3, -3).split('\n')
      expect(shown.map((row) => row.slice(row.indexOf('  ') + 2))).toEqual(rows)
    }
  })

  test('that rests on more than five windows shows the newest five, and how many there were', () => {
    const evidence = newestOf(hours('B B B', at('20:00'))).evidence
    const many = { ...transitions.escalated, evidence: [...evidence, ...evidence, ...evidence] }
    const rows = messageOf(tellOf(many)).blocks[1].text.text.slice(3, -3).split('\n')
    expect(rows).toHaveLength(6)
    expect(rows[0]).toBe('… 4 before')
    expect(rows.at(-1)).toBe('router_demo/2026-06-22T22:00:00Z/r0  p95 812 ms  n 4  breach')
  })

  test('by errors shows how many', () => {
    const alert = newestOf(hours('E E', at('20:00')))
    expect(messageOf(tellOf(alert)).blocks[1].text.text).toContain('p95 100 ms  n 1  errors 3  breach')
  })
})

test.each(['gone', 'unauthorized', 'sampler_silent', 'sampler_back', 'test'] as const)(
  'what is no transition is its line alone: %s',
  (name) => {
    for (const context of [inEnglish, inJapan]) {
      const line = textOf(others[name], context)
      expect(messageOf(others[name], context)).toEqual({ text: line, blocks: [section(line)] })
    }
  },
)

describe('names that mean something to Slack', () => {
  test('are escaped wherever they stand, and mention nobody', () => {
    const name = '<!channel> & <@U1|x>'
    const notice = tellOf({ ...transitions.opened, source: name, alertId: name }, 'en', { note: name })
    const { body } = composed(notice, { ...inEnglish, env: name })
    expect(body.match(/<[^>]*>/g)).toEqual([`<https://obs.example/alerts/${encodeURIComponent(name)}|evidence>`])
    expect(body).toContain('&lt;!channel&gt; &amp; &lt;@U1|x&gt;')
  })

  test('are escaped in the address of a link, too', () => {
    const { blocks } = messageOf(tellOf(transitions.opened), { ...inEnglish, publicUrl: 'https://obs.example/a&b' })
    expect(blocks.at(-1).elements[0].text).toContain('<https://obs.example/a&amp;b/alerts/')
  })

  test('stand in one row of the table, whatever they break', () => {
    const evidence = transitions.opened.evidence.map((window) => ({ ...window, key: `a\r\nb\u2028${window.key}` }))
    const { text } = messageOf(tellOf({ ...transitions.opened, evidence })).blocks[1].text
    expect(text.split(/[\r\n\u2028]/)).toHaveLength(evidence.length)
    const { blocks } = messageOf(tellOf(transitions.opened), { ...inEnglish, env: 'a\nb' })
    expect(blocks.at(-1).elements[0].text).toContain(' · a b · ')
  })

  test('cannot end the fence around the table', () => {
    const evidence = transitions.opened.evidence.map((window) => ({ ...window, key: `\`\`\`${window.key}` }))
    const { text } = messageOf(tellOf({ ...transitions.opened, evidence })).blocks[1].text
    expect(text.split('```')).toHaveLength(3)
  })
})

describe('what is too long', () => {
  const long = tellOf({ ...transitions.silent, reason: '&'.repeat(2_000) })

  test('is cut, says so, and keeps the id in the text and the link whole', () => {
    const { text, blocks } = messageOf(long)
    const id = transitions.silent.alertId
    expect(text).toMatch(/^WARNING router_demo: no data, (&amp;)+… \[no_data/)
    expect(text.endsWith(`[${id}]`)).toBe(true)
    expect(text.length).toBeGreaterThan(2_990)
    expect(blocks.at(-1)).toEqual(footer(`${id} · staging · ${link(id)}`, CUT))
    expect(composed(long).cut).toBe(CUT)
  })

  test('a link that is too long is left out', () => {
    const notice = tellOf({ ...transitions.opened, alertId: '/'.repeat(2_000) })
    expect(messageOf(notice).blocks.at(-1)).toEqual(footer(`${'/'.repeat(399)}… · staging`, CUT))
  })

  test('a link that just fits is kept', () => {
    const footerWith = (length: number): string =>
      messageOf(tellOf(transitions.opened), { ...inEnglish, env: 'e'.repeat(length) }).blocks.at(-1).elements[0].text
    const room = 3_000 - footerWith(0).length
    expect(footerWith(room)).toMatch(/\|evidence>$/)
    expect(footerWith(room)).toHaveLength(3_000)
    expect(footerWith(room + 1)).toMatch(/e$/)
  })

  test('texts that are each short enough, and together too long, are cut further', () => {
    const quotes = '"'.repeat(2_900)
    const notice = tellOf({ ...transitions.silent, reason: quotes })
    expect(composed(notice).body.length).toBeLessThan(12_000)
    expect(messageOf(notice).text).toContain(`${'"'.repeat(1_000)}`)
    expect(composed(notice).cut).toBe(CUT)
  })

  test('a whole of up to 11,999 characters is not cut', () => {
    const notice = tellOf({ ...transitions.silent, reason: '"'.repeat(2_600) })
    const withName = (length: number) => composed(notice, { ...inEnglish, env: 'e'.repeat(length) })
    const room = 11_999 - withName(0).body.length
    expect(room).toBeGreaterThan(0)
    expect([withName(room), withName(room + 1)].map(({ cut }) => cut)).toEqual([null, CUT])
  })
})

test('every body is canonical JSON', () => {
  for (const context of [inEnglish, inJapan])
    for (const [, notice] of everyNotice(context.locale)) {
      const { body } = composed(notice, context)
      expect(canonicalize(JSON.parse(body))).toBe(body)
    }
})
