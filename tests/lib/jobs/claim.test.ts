import { describe, expect, test } from '@jest/globals'
import { ObstreamError } from '#lib/errors.ts'
import type { JobFinished, JobStarted } from '#lib/facts.ts'
import { type ClaimOutcome, claimSlot } from '#lib/jobs/claim.ts'
import { JobTopic } from '#lib/jobs/job-topic.ts'
import { latencyStart } from '#services/exporter/latency-start.ts'
import { at, Scene } from '#tests/services/exporter/scene.ts'

const cut = (time: string) => ({ cutTickAt: at(time), plan: 'p', cutLastKeys: {} })

function claim(
  scene: Scene,
  slot: string,
  runId: string,
  holdsLock = false,
  jobs = scene.process().jobs,
): Promise<ClaimOutcome> {
  const start = latencyStart(scene.request(slot, { runId }), cut(slot))
  return claimSlot(jobs, { start, holdsLock, now: 5, nextRunAt: null })
}

function endOf(start: JobStarted, fields: Partial<JobFinished> = {}): JobFinished {
  const { job, slotAt, jobId, runId, dryRun } = start
  return {
    ...{
      type: 'finished',
      job,
      slotAt,
      jobId,
      runId,
      dryRun,
      attempt: 1,
      status: 'ok',
      skipReason: null,
      startedAt: 0,
    },
    ...{ durationMs: 0, artefacts: [], alerts: [], errorCode: null, errorMessage: null, summary: {}, nextRunAt: null },
    ...fields,
  } as JobFinished
}

const [TEN, ELEVEN] = ['2026-06-27T10:00:00Z', '2026-06-27T11:00:00Z']

describe('claiming a slot', () => {
  test('a free slot is ours', async () => {
    const scene = await Scene.open()
    expect(await claim(scene, TEN, 'a')).toMatchObject({
      kind: 'run',
      attempt: 1,
      start: { runId: 'a', cutTickAt: at(TEN) },
    })
  })

  test('of many claims at once one start counts, and everybody reads the same', async () => {
    const scene = await Scene.open()
    const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map((runId) => claim(scene, TEN, runId)))
    const starts = new Set(outcomes.map((outcome) => 'start' in outcome && outcome.start.runId))
    expect(starts.size).toBe(1)
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['run', 'taken', 'taken', 'taken'])
  })

  test('of many claims of different slots at once one is run, the others are skipped and say so', async () => {
    const scene = await Scene.open()
    const outcomes = await Promise.all([TEN, ELEVEN].map((slot, i) => claim(scene, slot, `run-${i}`)))
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['run', 'skipped'])
    expect((await scene.finished()).map(({ status, skipReason }) => [status, skipReason])).toEqual([
      ['skipped', 'start_does_not_count'],
    ])
  })

  test('while an earlier start is open, the next slot is skipped with that reason', async () => {
    const scene = await Scene.open()
    await claim(scene, TEN, 'a')
    expect(await claim(scene, ELEVEN, 'b')).toMatchObject({
      kind: 'skipped',
      finished: { status: 'skipped', skipReason: 'earlier_start_open', runId: 'b', attempt: 0, startedAt: 5 },
    })
  })

  test('the lock proves that the earlier run is dead: its start is run first', async () => {
    const scene = await Scene.open()
    await claim(scene, TEN, 'dead')
    expect(await claim(scene, ELEVEN, 'b', true)).toMatchObject({
      kind: 'resume',
      attempt: 2,
      start: { runId: 'dead', slotAt: at(TEN) },
    })
    expect(await scene.finished()).toEqual([])
  })

  test('a retry of the slot gets the recorded start, with its cut, not its own', async () => {
    const scene = await Scene.open()
    await claim(scene, TEN, 'dead')
    const start = latencyStart(scene.request(TEN, { runId: 'b' }), cut(ELEVEN))
    const outcome = await claimSlot(scene.process().jobs, { start, holdsLock: true, now: 0, nextRunAt: null })
    expect(outcome).toMatchObject({ kind: 'run', attempt: 2, start: { runId: 'dead', cutTickAt: at(TEN) } })
  })

  test('a slot that has ended is not run again', async () => {
    const scene = await Scene.open()
    const outcome = await claim(scene, TEN, 'a')
    if (outcome.kind !== 'run') throw new Error(outcome.kind)
    await scene.process().jobs.append(endOf(outcome.start))
    expect(await claim(scene, TEN, 'b', true)).toMatchObject({ kind: 'finished', finished: { runId: 'a' } })
  })

  test('a slot that failed is run again by who holds the lock, but not after a later slot', async () => {
    const scene = await Scene.open()
    const outcome = await claim(scene, TEN, 'a')
    if (outcome.kind !== 'run') throw new Error(outcome.kind)
    await scene.process().jobs.append(endOf(outcome.start, { status: 'error', errorCode: 'OBS_ARTEFACT_IO' }))
    expect(await claim(scene, TEN, 'b')).toMatchObject({ kind: 'finished' })
    expect(await claim(scene, TEN, 'b', true)).toMatchObject({ kind: 'run', attempt: 2 })
    await claim(scene, ELEVEN, 'c')
    expect(await claim(scene, TEN, 'b', true)).toMatchObject({ kind: 'finished' })
  })

  test('not knowing whether the start landed, it claims again and is itself the one', async () => {
    for (const lands of [true, false]) {
      const scene = await Scene.open()
      let isFirst = true
      const { log } = scene.process()
      const flaky = {
        ...log,
        append: async (...append: Parameters<typeof log.append>) => {
          const isLost = isFirst
          isFirst = false
          const result = isLost && !lands ? undefined : await log.append(...append)
          if (isLost || !result) throw new ObstreamError('OBS_LOG_OUTCOME_UNKNOWN', 'no answer')
          return result
        },
      }
      expect(await claim(scene, TEN, 'a', false, new JobTopic(flaky, scene.codecs.job))).toMatchObject({
        kind: 'run',
        attempt: 1,
      })
      expect((await scene.process().jobs.history('latency')).starts).toHaveLength(1)
    }
  })
})

test('the job topic is read on, not anew, and jobs do not mix', async () => {
  const scene = await Scene.open()
  const { jobs } = scene.process()
  expect((await jobs.history('latency')).open).toBeNull()
  await claim(scene, TEN, 'a')
  const [history, same] = await Promise.all([jobs.history('latency'), jobs.history('latency')])
  expect(history.open?.runId).toBe('a')
  expect(same).toBe(history)
  expect((await jobs.history('weekly')).open).toBeNull()
})
