import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

test('neither time zone nor locale of the machine changes a byte of what is said', () => {
  const script = `
    const { createHash } = await import('node:crypto')
    const { tzdataVersion } = await import('#lib/calendar.ts')
    const { alertsOf, gap, hours, plan } = await import('#tests/services/alerter/desk.ts')
    const { noticeLine } = await import('#services/alerter/messages/notice-line.ts')
    const fx = plan({ calendar: { kind: 'fx', holidays: ['2026-11-04'], tzdata: tzdataVersion } })
    const start = Date.parse('2026-10-30T10:00:00Z')
    const letters = Array.from({ length: 150 }, (_, hour) => 'BBBRROIB'[(hour * 5 + (hour >> 3)) % 8]).join(' ')
    const facts = [...hours(letters, start, { plan: fx }), gap(start + 200 * 3600_000, { plan: fx })]
    const alerts = alertsOf(facts)
    const lines = alerts.flatMap((alert) => ['en', 'ja'].flatMap((locale) =>
      ['UTC', 'Asia/Tokyo'].map((timeZone) => noticeLine(alert, { locale, timeZone })),
    ))
    console.log(alerts.length, createHash('sha256').update(JSON.stringify([alerts, lines])).digest('hex'))`
  const cwd = fileURLToPath(new URL('../../..', import.meta.url))
  const said = [
    { TZ: 'UTC', LC_ALL: 'C' },
    { TZ: 'Asia/Tokyo', LC_ALL: 'ja_JP.UTF-8' },
    { TZ: 'America/New_York', LC_ALL: 'tr_TR.UTF-8' },
  ].map((env) => execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd, env, encoding: 'utf8' }))
  expect(Number.parseInt(said[0]!, 10)).toBeGreaterThan(20)
  expect(new Set(said).size).toBe(1)
})
