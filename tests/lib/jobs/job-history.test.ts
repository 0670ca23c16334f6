import { describe, expect, test } from '@jest/globals'
import type { JobFact, JobFinished, JobStarted } from '#lib/facts.ts'
import { JobHistory } from '#lib/jobs/job-history.ts'
import { finishedKey, jobFactKey, jobIdOf, skippedKey, startedKey } from '#lib/jobs/job-keys.ts'

const HOUR = 3_600_000

/** `n` is the hour of slot and cut. */
function started(n: number, fields: Partial<JobStarted> = {}): JobStarted {
  return {
    type: 'started',
    job: 'latency',
    slotAt: n * HOUR,
    jobId: jobIdOf('latency', n * HOUR),
    runId: `run-${n}`,
    generatedAt: n * HOUR,
    plan: 'p',
    commitSha: null,
    command: [],
    options: {},
    dryRun: false,
    cutTickAt: n * HOUR,
    cutLastKeys: {},
    ...fields,
  }
}

function finished(n: number, fields: Partial<JobFinished> = {}): JobFinished {
  return {
    type: 'finished',
    job: 'latency',
    slotAt: n * HOUR,
    jobId: jobIdOf('latency', n * HOUR),
    runId: `run-${n}`,
    attempt: 1,
    status: 'ok',
    skipReason: null,
    startedAt: n * HOUR,
    durationMs: 1,
    artefacts: [],
    alerts: [],
    errorCode: null,
    errorMessage: null,
    dryRun: false,
    summary: {},
    nextRunAt: null,
    ...fields,
  }
}

function historyOf(...facts: readonly JobFact[]): JobHistory {
  const history = new JobHistory()
  for (const fact of facts) history.take(jobFactKey(fact), fact)
  return history
}

const slots = (history: JobHistory): number[] => history.starts.map((start) => start.slotAt / HOUR)

describe('keys', () => {
  test('say job, slot and what happened', () => {
    expect(startedKey(started(2))).toBe('latency/1970-01-01T02:00:00Z/started')
    expect(finishedKey(started(2), 3)).toBe('latency/1970-01-01T02:00:00Z/finished/3')
    expect(skippedKey(started(2), 'a/b')).toBe('latency/1970-01-01T02:00:00Z/skipped/a%2Fb')
    expect(jobFactKey(finished(2, { status: 'skipped', runId: 'x' }))).toBe('latency/1970-01-01T02:00:00Z/skipped/x')
  })

  test('of a dry run are others', () => {
    expect(startedKey(started(2, { dryRun: true }))).toBe('latency/1970-01-01T02:00:00Z/started/dry-run')
    expect(finishedKey(started(2, { dryRun: true }), 1)).toBe('latency/1970-01-01T02:00:00Z/finished/1/dry-run')
  })

  test('a job id is made of slot and name, and is safe as a file name', () => {
    expect(jobIdOf('latency', Date.parse('2026-06-27T23:30:00Z'))).toBe('20260627T233000Z-latency')
    expect(jobIdOf('latency', 0)).toMatch(/^\d{8}T\d{6}Z-[a-z0-9][a-z0-9_-]*$/)
    for (const name of ['', '../x', 'A', '-x', 'a b']) expect(() => jobIdOf(name, 0)).toThrow(RangeError)
  })
})

describe('the history of a job', () => {
  test('a start is open until it ends', () => {
    expect(historyOf(started(1)).open).toMatchObject({ slotAt: HOUR })
    expect(historyOf(started(1), finished(1)).open).toBeNull()
  })

  test.each(['error', 'lost', 'missed'] as const)('an end with status %s is an end', (status) => {
    const history = historyOf(started(1), finished(1, { status }))
    expect(history.open).toBeNull()
    expect(history.lastOk).toBeNull()
  })

  test('a skipped run ends nothing', () => {
    expect(historyOf(started(1), finished(1, { status: 'skipped', runId: 'other' })).open).not.toBeNull()
  })

  test('the first record of a key counts', () => {
    const history = historyOf(
      started(1),
      started(1, { runId: 'loser', cutTickAt: 0 }),
      finished(1),
      finished(1, { status: 'error' }),
    )
    expect(history.starts.map((start) => start.runId)).toEqual(['run-1'])
    expect(history.slot(HOUR, false).ends.map((end) => end.status)).toEqual(['ok'])
  })

  test('a start that came while another was open never counts', () => {
    const history = historyOf(started(1), started(2), finished(1), started(3))
    expect(slots(history)).toEqual([1, 3])
    expect(history.slot(2 * HOUR, false)).toMatchObject({ counts: false, start: { runId: 'run-2' } })
  })

  test('a start whose cut is before that of an earlier one never counts; an equal cut does', () => {
    expect(slots(historyOf(started(5), finished(5), started(6, { cutTickAt: 4 * HOUR })))).toEqual([5])
    expect(slots(historyOf(started(5), finished(5), started(6, { cutTickAt: 5 * HOUR })))).toEqual([5, 6])
  })

  test('a start of a slot that was said to be missed never counts', () => {
    const history = historyOf(finished(1, { status: 'missed' }), started(1))
    expect(history.open).toBeNull()
    expect(slots(history)).toEqual([])
  })

  test("a dry run stands in nobody's way and counts for nobody", () => {
    const history = historyOf(started(9, { dryRun: true }), started(1), finished(9, { dryRun: true }))
    expect(slots(history)).toEqual([1])
    expect(history.open).toMatchObject({ slotAt: HOUR })
    expect(history.lastOk).toBeNull()
    expect(history.slot(9 * HOUR, true).ends).toHaveLength(1)
    expect(history.slot(9 * HOUR, false).start).toBeNull()
  })

  test('a copy of any record, anywhere after it, changes nothing', () => {
    const facts = [
      started(1),
      finished(1, { status: 'error' }),
      finished(1, { attempt: 2 }),
      started(2),
      started(3),
      finished(2),
      started(4),
    ]
    const calm = summary(historyOf(...facts))
    for (const [i, fact] of facts.entries())
      for (let place = i + 1; place <= facts.length; place++)
        expect(summary(historyOf(...facts.toSpliced(place, 0, fact)))).toEqual(calm)
  })
})

function summary(history: JobHistory): unknown {
  return [slots(history), history.open, history.lastOk, [1, 2, 3, 4].map((n) => history.slot(n * HOUR, false))]
}
