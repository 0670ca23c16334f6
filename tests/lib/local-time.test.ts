import { spawnSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type LocalTime, localTime } from '#lib/local-time.ts'
import { noticeLine } from '#services/alerter/messages/notice-line.ts'
import { findProgram } from '#tests/support/find-program.ts'
import { testNeeding } from '#tests/support/required.ts'
import { alertsOf, hours } from '../services/alerter/desk.ts'

/** Zones whose rules for these years no release has changed lately: half hours, quarters, names that are none, both halves. */
const ZONES = [
  'America/New_York',
  'America/Sao_Paulo',
  'America/St_Johns',
  'Asia/Kathmandu',
  'Asia/Tokyo',
  'Australia/Adelaide',
  'Australia/Lord_Howe',
  'Europe/Berlin',
  'Europe/Dublin',
  'Europe/London',
  'Pacific/Auckland',
  'Pacific/Chatham',
  'UTC',
]

/** Clocks go forward and back: New York, Europe, Lord Howe (by half an hour), Auckland and Chatham. */
const CHANGES = [
  '2026-03-08T07:00:00Z',
  '2026-11-01T06:00:00Z',
  '2026-03-29T01:00:00Z',
  '2026-10-25T01:00:00Z',
  '2026-04-04T15:00:00Z',
  '2026-10-03T15:30:00Z',
  '2026-04-04T14:00:00Z',
  '2026-09-26T14:00:00Z',
].map((text) => Date.parse(text))

const AROUND_S = [-3_600, -1_800, -61, -1, 0, 1, 59, 1_800, 3_599, 3_600]

/** The same by Python's zoneinfo, from the system's own copy of the rules. */
function byPython(asked: readonly (readonly [number, string])[]): readonly LocalTime[] {
  const script = `
import json, re, sys
from datetime import datetime, timezone
from zoneinfo import ZoneInfo
def local(at, zone):
    time = datetime.fromtimestamp(at / 1000, timezone.utc).astimezone(ZoneInfo(zone))
    name = time.strftime('%Z')
    return {
        'clock': time.strftime('%H:%M:%S' if time.second else '%H:%M'),
        'day': time.strftime('%m-%d'),
        'zone': name if re.fullmatch('[A-Z]+', name) else time.strftime('%z'),
    }
print(json.dumps([local(at, zone) for at, zone in json.load(sys.stdin)]))`
  const { status, stdout, stderr } = spawnSync('python3', ['-c', script], {
    input: JSON.stringify(asked),
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`Python failed: ${stderr}`)
  return JSON.parse(stdout)
}

/** Python 3.9 or newer, with the rules of each zone. */
function zoneinfoMissing(): string | undefined {
  if (findProgram('python3') === undefined) return 'there is no python3'
  const probe = `import zoneinfo; [zoneinfo.ZoneInfo(zone) for zone in ${JSON.stringify(ZONES)}]`
  return spawnSync('python3', ['-c', probe]).status === 0 ? undefined : 'Python has no zoneinfo, or no time zones'
}

const ours = (asked: readonly (readonly [number, string])[]): readonly LocalTime[] =>
  asked.map(([at, zone]) => localTime(at, zone))

testNeeding(zoneinfoMissing(), 'around every change of the clocks a local time is what Python says', () => {
  const instants = CHANGES.flatMap((change) => AROUND_S.map((seconds) => change + seconds * 1_000))
  const asked = instants.flatMap((at) => ZONES.map((zone) => [at, zone] as const))
  expect(ours(asked)).toEqual(byPython(asked))
})

testNeeding(zoneinfoMissing(), 'at any second of fifty years a local time is what Python says', () => {
  const second = fc.integer({
    min: Date.parse('1985-01-01T00:00:00Z') / 1_000,
    max: Date.parse('2035-01-01T00:00:00Z') / 1_000,
  })
  const question = fc.tuple(
    second.map((at) => at * 1_000),
    fc.constantFrom(...ZONES),
  )
  fc.assert(
    fc.property(fc.array(question, { minLength: 400, maxLength: 400 }), (asked) => {
      expect(ours(asked)).toEqual(byPython(asked))
    }),
    { numRuns: 5 },
  )
})

describe('a period over a change of the clocks', () => {
  const line = (startAt: string, locale: 'en' | 'ja', timeZone: string): string =>
    noticeLine(alertsOf(hours('B B B', Date.parse(startAt))).at(-1)!, { locale, timeZone })

  test('names the zone at both ends, since an hour is missing in it or there twice', () => {
    expect(line('2026-03-08T05:00:00Z', 'en', 'America/New_York')).toContain(
      '3rd hour running (05:00–08:00 UTC, 00:00 EST – 04:00 EDT), n = 4/4/4.',
    )
    expect(line('2026-10-25T00:00:00Z', 'en', 'Europe/Berlin')).toContain('(00:00–03:00 UTC, 02:00 CEST – 04:00 CET)')
    expect(line('2026-03-08T05:00:00Z', 'ja', 'America/New_York')).toContain('(EST 00:00–EDT 04:00)')
  })

  test('before it and after it names the zone once', () => {
    expect(line('2026-03-08T03:00:00Z', 'en', 'America/New_York')).toContain('03-07 22:00–03-08 01:00 EST')
    expect(line('2026-03-08T07:00:00Z', 'en', 'America/New_York')).toContain('03:00–06:00 EDT')
  })
})
