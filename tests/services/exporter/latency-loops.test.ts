import { afterEach, describe, expect, test } from '@jest/globals'
import { ObstreamError } from '#lib/errors.ts'
import { claimSlot } from '#lib/jobs/claim.ts'
import { JobTopic } from '#lib/jobs/job-topic.ts'
import { type ExporterDependencies, LatencyLoops } from '#services/exporter/adapters/latency-loops.ts'
import { runLatencyOnce } from '#services/exporter/adapters/latency-once.ts'
import { latencyStart } from '#services/exporter/latency-start.ts'
import { at, options, Scene } from './scene.ts'

const QUARTER = 15 * 60_000
const running: LatencyLoops[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((loops) => loops.stop()))
})

let lastRunId = 0
function exporter(scene: Scene, changes: Partial<ExporterDependencies> = {}): LatencyLoops {
  const ids = { next: () => `own-${++lastRunId}` }
  const deps = { ...scene.process(), ids, lock: scene.lockOf(), ...changes }
  const loops = new LatencyLoops(deps, { everyMs: QUARTER, options, command: ['obstream', 'up'], commitSha: null })
  running.push(loops)
  return loops
}

/** Lets everything happen that can, without time going on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
}

/** Waits for a fact while time goes on by seconds. */
async function eventually<T>(scene: Scene, look: () => Promise<T | undefined | false>): Promise<T> {
  for (let turn = 0; turn < 2_000; turn++) {
    const found = await look()
    if (found) return found
    scene.clock.advance(1_000)
    await new Promise(setImmediate)
  }
  throw new Error('it never came')
}

const ends = async (scene: Scene) =>
  (await scene.finished()).map(({ slotAt, status, attempt, skipReason }) => [
    new Date(slotAt).toISOString().slice(11, 16),
    status,
    attempt,
    skipReason,
  ])

async function scene(): Promise<Scene> {
  const opened = await Scene.open()
  await opened.sample('a', '2026-06-27T11:50:00Z')
  await opened.tick('2026-06-27T11:59:50Z')
  opened.clock.jumpTo(at('2026-06-27T12:07:00Z'))
  return opened
}

describe('the exporter of a running system', () => {
  test('runs the slot at hand at once, then each one when its time has come', async () => {
    const desk = await scene()
    exporter(desk)
    await settle()
    expect(await ends(desk)).toEqual([['12:00', 'ok', 1, null]])
    await eventually(desk, async () => (await desk.finished()).length === 3)
    expect(await ends(desk)).toEqual([
      ['12:00', 'ok', 1, null],
      ['12:15', 'ok', 1, null],
      ['12:30', 'ok', 1, null],
    ])
    expect(JSON.parse((await desk.file('ops/latency_job_heartbeat.json'))!)).toMatchObject({
      next_run_at: '2026-06-27T12:45:00Z',
    })
  })

  test('does not run a slot again that was run before a restart', async () => {
    const desk = await scene()
    await exporter(desk).stop()
    await settle()
    const first = exporter(desk)
    await settle()
    await first.stop()
    exporter(desk)
    await settle()
    expect(await ends(desk)).toEqual([['12:00', 'ok', 1, null]])
  })

  test('brings the files up to date that a process left behind which was killed after its job had ended', async () => {
    const desk = await scene()
    const first = exporter(desk)
    await settle()
    await first.stop()
    const files = ['ops/automation_runs.log', 'ops/latency_job_heartbeat.json']
    const whole = await Promise.all(files.map((path) => desk.file(path)))
    for (const path of files) await desk.store.remove(path)
    exporter(desk)
    await settle()
    expect(await Promise.all(files.map((path) => desk.file(path)))).toEqual(whole)
    expect(await ends(desk)).toHaveLength(1)
  })

  test('finishes what an earlier process left open, as the next attempt', async () => {
    const desk = await scene()
    const start = latencyStart(desk.request('2026-06-27T11:45:00Z', { runId: 'dead' }), {
      cutTickAt: at('2026-06-27T11:59:50Z'),
      plan: 'p',
      cutLastKeys: {},
    })
    await claimSlot(desk.process().jobs, { start, holdsLock: false, now: 0, nextRunAt: null })
    exporter(desk)
    await settle()
    expect(await ends(desk)).toContainEqual(['11:45', 'ok', 2, null])
    expect(await desk.file('ops/signal_latency.csv')).toContain(',a,100\n')
  })

  test('a slot that comes while the one before is still running is skipped, and the next one is not', async () => {
    const desk = await scene()
    desk.committed = async () => []
    exporter(desk, { waitMs: 20 * 60_000 })
    await eventually(desk, async () => (await desk.finished()).length === 1)
    expect(await ends(desk)).toEqual([['12:15', 'skipped', 0, 'earlier_start_open']])
    desk.committed = (group, topic) => desk.everything(group, topic)
    await eventually(desk, async () => (await desk.finished()).length === 3)
    expect(await ends(desk)).toEqual([
      ['12:15', 'skipped', 0, 'earlier_start_open'],
      ['12:00', 'ok', 1, null],
      ['12:30', 'ok', 1, null],
    ])
  })

  test('waits while another process has the lock, and leaves to it what it ends', async () => {
    const desk = await scene()
    const held = desk.lockOf()()
    exporter(desk)
    await settle()
    expect(await ends(desk)).toEqual([])
    held!.release()
    await desk.run('2026-06-27T12:07:30Z')
    await eventually(desk, async () => desk.clock.now() > at('2026-06-27T12:10:00Z'))
    expect(await ends(desk)).toEqual([
      ['12:00', 'ok', 2, null],
      ['12:07', 'ok', 1, null],
    ])
  })

  test('does not run a start that the last holder of the lock ended while it waited for the lock', async () => {
    const desk = await scene()
    const deps = desk.process()
    let other: Promise<unknown> = Promise.resolve()
    const log: typeof deps.log = {
      ...deps.log,
      offsets: async (topic, atMs) => {
        await other
        return await deps.log.offsets(topic, atMs)
      },
    }
    const lock = () => {
      other = other.then(async () => {
        const held = desk.lockOf()
        await runLatencyOnce(desk.process(), desk.request('2026-06-27T12:07:30Z'), held)
      })
      return { release: () => {} }
    }
    let writes = 0
    const write = async (): Promise<void> => {
      writes += 1
    }
    exporter(desk, { log, jobs: new JobTopic(log, desk.codecs.job), lock, store: { ...deps.store, write } })
    await settle()
    expect(await ends(desk)).toEqual([
      ['12:00', 'ok', 2, null],
      ['12:07', 'ok', 1, null],
    ])
    expect(JSON.parse((await desk.file('ops/latency_job_heartbeat.json'))!).job_id).toBe('20260627T120730Z-latency')
    expect(writes).toBe(0)
  })

  test('before the first tick it waits and says for what, then does the slot', async () => {
    const desk = await Scene.open()
    const loops = exporter(desk)
    await settle()
    expect(loops.waitsFor).toContain('no clock tick')
    await desk.tick('2026-06-27T11:59:50Z')
    await eventually(desk, async () => (await desk.finished()).length === 1)
    expect(loops.waitsFor).toBeNull()
    expect(desk.warnings).toEqual([])
  })

  test('a first tick that does not come for minutes is told, once', async () => {
    const desk = await Scene.open()
    exporter(desk)
    for (let second = 0; second < 119; second++) {
      await settle()
      desk.clock.advance(1_000)
    }
    expect(desk.warnings).toEqual([])
    await eventually(desk, async () => desk.warnings.length > 0)
    for (let second = 0; second < 10; second++) {
      await settle()
      desk.clock.advance(1_000)
    }
    expect(desk.warnings).toEqual([
      expect.stringContaining('the scheduler tries again: obs.sample.v1/0 holds no clock tick'),
    ])
  })

  test('goes on after a job that failed for want of disk', async () => {
    const desk = await scene()
    const { store } = desk.process()
    let isFull = true
    const write = async (path: string, bytes: Uint8Array): Promise<void> => {
      if (isFull) throw new ObstreamError('OBS_ARTEFACT_IO', 'full')
      await store.write(path, bytes)
    }
    exporter(desk, { store: { ...store, write } })
    await settle()
    isFull = false
    await eventually(desk, async () => (await desk.finished()).length === 2)
    expect(await ends(desk)).toEqual([
      ['12:00', 'error', 1, null],
      ['12:15', 'ok', 1, null],
    ])
  })

  test('stops at once in the middle of a job, frees the lock and leaves the slot open', async () => {
    const desk = await scene()
    desk.committed = async () => []
    const loops = exporter(desk)
    await settle()
    expect(desk.lockOf()()).toBeNull()
    await Promise.all([loops.stop(), loops.stop()])
    await loops.ended
    expect(await desk.finished()).toEqual([])
    expect((await desk.process().jobs.history('latency')).open).not.toBeNull()
    const lock = desk.lockOf()()
    expect(lock).not.toBeNull()
    lock!.release()
    desk.committed = (group, topic) => desk.everything(group, topic)
    exporter(desk)
    await settle()
    expect(await ends(desk)).toEqual([['12:00', 'ok', 2, null]])
  })

  test('two exporters on one log run each slot once', async () => {
    const desk = await scene()
    exporter(desk)
    exporter(desk)
    await eventually(desk, async () => (await desk.finished()).length >= 3)
    expect((await ends(desk)).map(([slot, status]) => [slot, status])).toEqual([
      ['12:00', 'ok'],
      ['12:15', 'ok'],
      ['12:30', 'ok'],
    ])
  })

  test('a failure that no new try can cure ends it', async () => {
    const desk = await scene()
    const deps = desk.process()
    const log = { ...deps.log, offsets: async () => Promise.reject(new ObstreamError('OBS_LOG_CORRUPT', 'broken')) }
    await expect(exporter(desk, { log }).ended).rejects.toMatchObject({ code: 'OBS_LOG_CORRUPT' })
  })
})
