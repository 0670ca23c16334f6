import { expect, test } from '@jest/globals'
import type { Alert, JobFinished } from '#lib/facts.ts'
import { automationLog } from '#services/exporter/automation-log.ts'
import { heartbeatJson } from '#services/exporter/heartbeat.ts'
import { openAlerts } from '#services/exporter/open-alerts.ts'

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
  artefacts: [{ path: 'ops/signal_latency.csv', bytes: 31, sha256: 'ab' }],
  alerts: [{ id: 'breach/p95/a/2026-06-27T20:00:00Z', severity: 'critical', state: 'escalated' }],
  errorCode: null,
  errorMessage: null,
  dryRun: false,
  summary: { samples_written: 4 },
  nextRunAt: null,
}

test('a finished job is one JSON line with the fields in fixed order', () => {
  expect(automationLog([finished]).toString()).toBe(
    '{"job_id":"20260627T233000Z-latency","run_id":"run-1","job":"latency","slot":"2026-06-27T23:30:00Z","status":"ok",' +
      '"skip_reason":null,"started_at":"2026-06-27T23:30:00.040Z","duration_ms":81,' +
      '"artefacts":[{"path":"ops/signal_latency.csv","bytes":31,"sha256":"ab"}],' +
      '"alerts":[{"id":"breach/p95/a/2026-06-27T20:00:00Z","severity":"critical","state":"escalated"}],' +
      '"attempts":1,"response_code":null,"error_code":null,"error_message":null,"payload_checksum_sha256":null,' +
      '"upload_status":null,"dry_run":false}\n',
  )
})

test('an error message with line breaks stays on its line', () => {
  const lines = automationLog([
    { ...finished, status: 'error', errorMessage: 'two\nlines\u2028here' },
    finished,
  ]).toString()
  expect(lines.split('\n')).toHaveLength(3)
  expect(JSON.parse(lines.split('\n')[0]!)).toMatchObject({ status: 'error', error_message: 'two\nlines\u2028here' })
})

test('no job gives an empty file', () => {
  expect(automationLog([])).toHaveLength(0)
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
  expect(openAlerts(story, 99)).toEqual([])
  expect(openAlerts(story, 100)).toEqual([{ id: 'b', severity: 'warning', state: 'opened' }])
  expect(openAlerts(story.toReversed(), 101)).toEqual([{ id: 'b', severity: 'critical', state: 'escalated' }])
  expect(openAlerts(story, 102)).toEqual([])
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
  expect(openAlerts(story, 200).map(({ id, state }) => [id, state])).toEqual([
    ['a', 'opened'],
    ['b', 'opened'],
  ])
})
