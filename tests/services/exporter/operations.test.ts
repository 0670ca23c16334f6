import { describe, expect, test } from '@jest/globals'
import type { Alert, JobFinished } from '#lib/facts.ts'
import {
  AUTOMATION_LOG,
  automationFiles,
  automationLines,
  type DatedEnd,
  dayOfRotated,
  KEPT_DAYS,
  MAX_LINES,
} from '#services/exporter/automation-log.ts'
import { heartbeatJson } from '#services/exporter/heartbeat.ts'
import { openAlertsAt } from '#services/exporter/open-alerts.ts'

const at = (time: string): number => Date.parse(time)

const finished: JobFinished = {
  type: 'finished',
  job: 'latency',
  slotAt: at('2026-06-27T23:30:00Z'),
  jobId: '20260627T233000Z-latency',
  runId: 'run-1',
  attempt: 1,
  status: 'ok',
  skipReason: null,
  startedAt: at('2026-06-27T23:30:00.040Z'),
  durationMs: 81,
  artefacts: [{ path: 'ops/signal_latency.csv', bytes: 31, sha256: 'ab', newestAt: null }],
  alerts: [{ id: 'breach/p95/a/2026-06-27T20:00:00Z', severity: 'critical', state: 'escalated' }],
  errorCode: null,
  errorMessage: null,
  dryRun: false,
  summary: { samples_written: 4 },
  nextRunAt: null,
}

test('a finished job is one JSON line with the fields in fixed order', () => {
  expect(automationLines([finished]).toString()).toBe(
    '{"job_id":"20260627T233000Z-latency","run_id":"run-1","job":"latency","slot":"2026-06-27T23:30:00Z","status":"ok",' +
      '"skip_reason":null,"started_at":"2026-06-27T23:30:00.040Z","duration_ms":81,' +
      '"artefacts":[{"path":"ops/signal_latency.csv","bytes":31,"sha256":"ab"}],' +
      '"alerts":[{"id":"breach/p95/a/2026-06-27T20:00:00Z","severity":"critical","state":"escalated"}],' +
      '"attempts":1,"response_code":null,"error_code":null,"error_message":null,"payload_checksum_sha256":null,' +
      '"upload_status":null,"dry_run":false}\n',
  )
})

test('an error message with line breaks stays on its line', () => {
  const lines = automationLines([
    { ...finished, status: 'error', errorMessage: 'two\nlines\u2028here' },
    finished,
  ]).toString()
  expect(lines.split('\n')).toHaveLength(3)
  expect(JSON.parse(lines.split('\n')[0]!)).toMatchObject({ status: 'error', error_message: 'two\nlines\u2028here' })
})

test('no job gives an empty file', () => {
  expect(automationLines([])).toHaveLength(0)
  expect(automationFiles([])).toMatchObject({ rotated: [], current: { path: AUTOMATION_LOG, ends: [] } })
})

describe('the automation log is cut into files', () => {
  let count = 0
  const end = (cut: string | null): DatedEnd => ({
    finished: { ...finished, runId: `run-${count++}`, status: cut === null ? 'skipped' : 'ok' },
    cutTickAt: cut === null ? null : at(`2026-${cut}Z`),
  })
  const repeated = (times: number, cut: string): DatedEnd[] => Array.from({ length: times }, () => end(cut))
  const runIds = (ends: readonly JobFinished[]): string[] => ends.map(({ runId }) => runId)
  const shape = (ends: readonly DatedEnd[]) => {
    const { rotated, current } = automationFiles(ends)
    const lines = [...rotated, current].flatMap((file) => runIds(file.ends))
    expect(lines).toEqual(runIds(ends.map((one) => one.finished)))
    return [...rotated, current].map((file) => [file.path.slice('ops/automation_runs.'.length), file.ends.length])
  }

  test('at midnight UTC, by the cuts of the jobs', () => {
    const ends = ['06-27T23:59:59', '06-28T00:00:00', '06-28T12:00:00', '06-30T00:15:00'].map(end)
    expect(shape(ends)).toEqual([
      ['2026-06-27-1.log', 1],
      ['2026-06-28-1.log', 2],
      ['log', 1],
    ])
  })

  test('a skipped run goes where the line before it went, and the first ones to the first job', () => {
    const ends = [null, null, '06-27T12:00:00', null, '06-28T00:00:00', null].map(end)
    expect(shape(ends)).toEqual([
      ['2026-06-27-1.log', 4],
      ['log', 2],
    ])
    expect(shape([null, null].map(end))).toEqual([['log', 2]])
  })

  test('a job that was started again on a later day, by its old cut, does not turn time back', () => {
    expect(shape(['06-27T12:00:00', '06-28T00:00:00', '06-27T23:00:00'].map(end))).toEqual([
      ['2026-06-27-1.log', 1],
      ['log', 2],
    ])
  })

  test('when it is full; the last line that fits is the ten thousandth', () => {
    expect(shape(repeated(MAX_LINES, '06-27T12:00:00'))).toEqual([['log', MAX_LINES]])
    expect(shape([...repeated(2 * MAX_LINES + 1, '06-27T12:00:00'), end('06-28T00:00:00')])).toEqual([
      ['2026-06-27-1.log', MAX_LINES],
      ['2026-06-27-2.log', MAX_LINES],
      ['2026-06-27-3.log', 1],
      ['log', 1],
    ])
  })

  test('a file follows from its own day: when the log has lost the days before, it is the same', () => {
    const days = [end('06-26T01:00:00'), end(null), ...repeated(MAX_LINES + 3, '06-27T12:00:00'), end('06-28T00:00:00')]
    const whole = automationFiles(days)
    const rest = automationFiles(days.slice(2))
    expect(rest.rotated).toEqual(whole.rotated.slice(1))
    expect(rest.current).toEqual(whole.current)
  })

  test(`rotated files are kept for ${KEPT_DAYS} days`, () => {
    const ends = ['06-27T12:00:00', '06-28T12:00:00', '08-30T00:00:00'].map(end)
    const { rotated, keptFrom } = automationFiles(ends)
    expect(rotated.map(({ path }) => path)).toEqual(['ops/automation_runs.2026-06-28-1.log'])
    expect(rotated.map(({ path }) => dayOfRotated(path)! >= keptFrom)).toEqual([true])
    expect(dayOfRotated('ops/automation_runs.2026-06-27-1.log')! < keptFrom).toBe(true)
  })

  test.each([AUTOMATION_LOG, 'ops/automation_runs.old.log', 'ops/x/automation_runs.2026-06-27-1.log'])(
    '%s is no rotated file',
    (path) => expect(dayOfRotated(path)).toBeNull(),
  )
})

test('the heartbeat says which job, its now, the next one, and the last breach', () => {
  const json = heartbeatJson({
    jobId: 'j',
    generatedAt: at('2026-06-27T23:29:50Z'),
    nextRunAt: at('2026-06-27T23:45:00Z'),
    lastBreachAt: null,
  })
  expect(json.toString()).toBe(`{
  "job_id": "j",
  "generated_at": "2026-06-27T23:29:50Z",
  "next_run_at": "2026-06-27T23:45:00Z",
  "last_breach_at": null
}
`)
})

function transition(
  alertId: string,
  sequence: number,
  kind: Alert['kind'],
  severity: Alert['severity'] = 'warning',
): Alert {
  return {
    alertId,
    sequence,
    kind,
    about: 'breach',
    severity,
    ruleId: 'p95',
    source: 'a',
    decidedAt: 100 + sequence,
    eventAt: 0,
    openedAt: 100,
    reason: '',
    streak: 1,
    thresholdMs: 1,
    plan: 'p',
    evidence: [],
  }
}

test('an alert is open until it is resolved; its state is what happened last', () => {
  const story = [
    transition('b', 0, 'opened'),
    transition('b', 1, 'escalated', 'critical'),
    transition('b', 2, 'resolved', 'critical'),
  ]
  expect(openAlertsAt(story, 99)).toEqual([])
  expect(openAlertsAt(story, 100)).toEqual([{ id: 'b', severity: 'warning', state: 'opened' }])
  expect(openAlertsAt(story.toReversed(), 101)).toEqual([{ id: 'b', severity: 'critical', state: 'escalated' }])
  expect(openAlertsAt(story, 102)).toEqual([])
})

test('an annotation neither opens nor closes, and alerts are listed by id', () => {
  const story = [
    transition('b', 0, 'opened'),
    transition('b', 1, 'annotated'),
    transition('a', 0, 'opened'),
    transition('c', 0, 'opened'),
    transition('c', 1, 'resolved'),
    transition('c', 2, 'annotated'),
  ]
  expect(openAlertsAt(story, 200).map(({ id, state }) => [id, state])).toEqual([
    ['a', 'opened'],
    ['b', 'opened'],
  ])
})
