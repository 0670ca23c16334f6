import { describe, expect, test } from '@jest/globals'
import { openMemoryArtefacts } from '#lib/artefacts/memory.ts'
import { ObstreamError } from '#lib/errors.ts'
import { rebuildLatency } from '#services/exporter/adapters/latency-job.ts'
import { runLatencyOnce } from '#services/exporter/adapters/latency-once.ts'
import { at, options, Scene } from './scene.ts'

/** An evening with two hours, a breach and an open alert. */
async function evening(): Promise<Scene> {
  const scene = await Scene.open()
  await scene.sample('router_demo', '2026-06-27T20:00:00Z', { latencyMs: 812 })
  await scene.sample('router_demo', '2026-06-27T20:15:00Z', { outcome: 'timeout', latencyMs: 10_000 })
  await scene.sample('router_demo', '2026-06-27T20:30:00Z', { outcome: 'error', latencyMs: null, errorCode: 'x' })
  await scene.tick('2026-06-27T21:10:00Z')
  await scene.window('router_demo', '2026-06-27T20:00:00Z', { verdict: 'breach', reason: 'p95', p95Ms: 10_000 })
  await scene.alert('breach/p95/router_demo/2026-06-27T20:00:00Z', '2026-06-27T21:10:00Z', 'opened')
  return scene
}

describe('a latency job', () => {
  test('writes the samples, the windows and its own record, and says what it did', async () => {
    const scene = await evening()
    const { finished, exitCode } = await scene.run('2026-06-27T21:15:00Z')
    expect(exitCode).toBe(0)
    expect(await scene.file('ops/signal_latency.csv')).toBe(
      'timestamp_utc,source,latency_ms\n2026-06-27T20:00:00Z,router_demo,812\n2026-06-27T20:15:00Z,router_demo,10000\n',
    )
    expect(await scene.file('ops/signal_latency_rollup.csv')).toContain(
      '2026-06-27T20:00:00Z,100,10000,true,router_demo,1,4,0,100,0\n',
    )
    expect(finished).toMatchObject({
      status: 'ok',
      jobId: '20260627T211500Z-latency',
      attempt: 1,
      alerts: [{ id: 'breach/p95/router_demo/2026-06-27T20:00:00Z', severity: 'warning', state: 'opened' }],
      summary: { samples_written: 2, rollups_written: 1, breach_count: 1, last_breach_at: at('2026-06-27T21:00:00Z') },
    })
    expect(finished.summary['next_rotation_bytes']).toBe(
      10_000_000 - (await scene.file('ops/signal_latency.csv'))!.length,
    )
    expect(finished.artefacts.map(({ path }) => path)).toEqual([
      'ops/signal_latency.csv',
      'ops/signal_latency_rollup.csv',
    ])
  })

  test('is in the automation log and the heartbeat as soon as it has finished', async () => {
    const scene = await evening()
    await scene.run('2026-06-27T21:15:00Z')
    expect(JSON.parse((await scene.file('ops/automation_runs.log'))!)).toMatchObject({
      job_id: '20260627T211500Z-latency',
      status: 'ok',
    })
    expect(JSON.parse((await scene.file('ops/latency_job_heartbeat.json'))!)).toEqual({
      job_id: '20260627T211500Z-latency',
      generated_at: '2026-06-27T21:10:00Z',
      next_run_at: '2026-06-27T21:30:00Z',
      last_breach_at: '2026-06-27T21:00:00Z',
    })
  })

  test('rotates the automation log at midnight by its name, with the runs that were skipped since', async () => {
    const scene = await evening()
    await scene.run('2026-06-27T21:15:00Z')
    await runLatencyOnce(scene.process(), scene.request('2026-06-27T22:00:00Z'), () => null)
    await scene.tick('2026-06-28T00:00:00Z')
    await scene.run('2026-06-28T00:00:00Z')
    const lines = async (path: string) =>
      (await scene.file(path))!
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map(({ job_id, status }) => [job_id, status])
    expect(await lines('ops/automation_runs.2026-06-27-1.log')).toEqual([
      ['20260627T211500Z-latency', 'ok'],
      ['20260627T220000Z-latency', 'skipped'],
    ])
    expect(await lines('ops/automation_runs.log')).toEqual([['20260628T000000Z-latency', 'ok']])
  })

  test('makes lost files of the automation log anew, leaves others alone, and removes them when their time is up', async () => {
    const scene = await evening()
    const [rotated, foreign] = ['ops/automation_runs.2026-06-27-1.log', 'ops/automation_runs.2026-06-27.log']
    await scene.run('2026-06-27T21:15:00Z')
    await scene.tick('2026-06-28T00:00:00Z')
    await scene.run('2026-06-28T00:00:00Z')
    const files = await scene.files()
    await scene.store.write(foreign, Buffer.from('kept'))
    for (const path of [rotated, 'ops/automation_runs.log']) await scene.store.remove(path)
    await scene.run('2026-06-28T00:00:01Z')
    expect(await scene.file(rotated)).toBe(files[rotated])
    expect(await scene.file('ops/automation_runs.log')).toContain(files['ops/automation_runs.log'])
    await scene.tick('2026-08-30T00:00:00Z')
    await scene.run('2026-08-30T00:00:00Z')
    const left = Object.keys(await scene.files()).filter((path) => path.startsWith('ops/automation_runs'))
    expect(left).toEqual(['ops/automation_runs.2026-06-28-1.log', foreign, 'ops/automation_runs.log'].toSorted())
  })

  test('leaves everything above its cut to the next one', async () => {
    const scene = await evening()
    const before = await scene.run('2026-06-27T21:15:00Z')
    await scene.sample('router_demo', '2026-06-27T21:00:00Z')
    await scene.window('router_demo', '2026-06-27T21:00:00Z', { decidedAt: at('2026-06-27T22:10:00Z') })
    await scene.tick('2026-06-27T22:10:00Z')
    const rebuilt = await rebuildLatency(scene.process(), (await scene.process().jobs.history('latency')).starts[0]!)
    expect(rebuilt.artefacts).toEqual(before.finished.artefacts)
    const after = await scene.run('2026-06-27T22:15:00Z')
    expect(after.finished.summary).toMatchObject({ samples_written: 1, rollups_written: 1, breach_count: 0 })
  })

  test('archives the day before with checksums, and names in its record what it made', async () => {
    const scene = await evening()
    await scene.run('2026-06-27T21:15:00Z')
    await scene.tick('2026-06-28T00:00:00Z')
    const { finished } = await scene.run('2026-06-28T00:00:00Z')
    const archived = 'ops/signal_latency_archive/2026/06/20260628T000000Z-latency-1.csv'
    expect(finished.artefacts.map(({ path }) => path)).toEqual([
      archived,
      'ops/signal_latency_archive/SHA256SUMS',
      'ops/signal_latency.csv',
      'ops/signal_latency_rollup.csv',
    ])
    expect(await scene.file('ops/signal_latency_archive/SHA256SUMS')).toBe(
      `${finished.artefacts[0]!.sha256}  2026/06/20260628T000000Z-latency-1.csv\n`,
    )
    expect(await scene.file(archived)).toContain('router_demo,812')
    expect(await scene.file('ops/signal_latency.csv')).toBe('timestamp_utc,source,latency_ms\n')
  })

  test('removes an archive file whose time is up, and the list with the last of them', async () => {
    const scene = await evening()
    await scene.tick('2026-06-28T00:00:00Z')
    await scene.run('2026-06-28T00:00:00Z')
    await scene.store.write('ops/signal_latency_archive/2026/06/foreign.csv', Buffer.from('kept'))
    await scene.tick('2026-07-20T00:00:00Z')
    await scene.run('2026-07-20T00:00:00Z')
    expect(await scene.store.list('ops/signal_latency_archive')).toEqual([
      'ops/signal_latency_archive/2026/06/foreign.csv',
    ])
  })

  test('makes a damaged or lost file whole again', async () => {
    const scene = await evening()
    await scene.tick('2026-06-28T00:00:00Z')
    await scene.run('2026-06-28T00:00:00Z')
    const files = await scene.artefacts()
    const [archived, ...others] = Object.keys(files)
    await scene.store.write(archived!, Buffer.from('damaged'))
    for (const path of others) await scene.store.remove(path)
    await scene.run('2026-06-28T00:00:01Z')
    expect(await scene.artefacts()).toEqual(files)
  })

  test('reads the window topic as a set: an old copy that compaction kept behind its correction does not win', async () => {
    const scene = await evening()
    await scene.window(
      'router_demo',
      '2026-06-27T20:00:00Z',
      { revision: 1, p95Ms: 700, decidedAt: at('2026-06-27T21:10:00Z') },
      [90, 0],
    )
    await scene.window(
      'router_demo',
      '2026-06-27T20:00:00Z',
      { verdict: 'breach', reason: 'p95', p95Ms: 10_000 },
      [0, 0],
    )
    await scene.run('2026-06-27T21:15:00Z')
    expect(await scene.file('ops/signal_latency_rollup.csv')).toMatch(/_revision|,700,false,router_demo,1,4,0,100,1\n$/)
  })

  test('stops at a derived fact that was said twice, differently', async () => {
    const scene = await evening()
    await scene.window('router_demo', '2026-06-27T20:00:00Z', { p95Ms: 1 }, [0, 0])
    const { finished, exitCode } = await scene.run('2026-06-27T21:15:00Z')
    expect(finished).toMatchObject({ status: 'error', errorCode: 'OBS_LOG_FACT_CHANGED' })
    expect(exitCode).toBe(70)
  })

  test('passes over a record that nobody can read', async () => {
    const scene = await evening()
    await scene.log.append('obs.sample.v1', 0, [{ key: Buffer.from('a'), value: Buffer.from('no avro') }])
    expect((await scene.run('2026-06-27T21:15:00Z')).finished.summary['samples_written']).toBe(2)
  })

  test('without a tick there is no cut: exit 75 and no record', async () => {
    const scene = await Scene.open()
    await scene.sample('a', '2026-06-27T20:00:00Z')
    await expect(scene.run('2026-06-27T21:15:00Z')).rejects.toMatchObject({ code: 'OBS_JOB_NO_TICK', exitCode: 75 })
    expect(await scene.finished()).toEqual([])
  })
})

describe('a job that fails', () => {
  test.each([
    ['OBS_ARTEFACT_IO', 74],
    ['OBS_ARTEFACT_CANNOT_CREATE', 73],
  ] as const)('%s is an end with its code and message, exit %i', async (code, exitCode) => {
    const scene = await evening()
    const deps = scene.process()
    const fail = async (): Promise<never> => {
      throw new ObstreamError(code, 'the disk is full')
    }
    const store = { ...deps.store, write: fail, extend: fail }
    const outcome = await runLatencyOnce({ ...deps, store }, scene.request('2026-06-27T21:15:00Z'), scene.lockOf())
    expect(outcome).toMatchObject({
      exitCode,
      finished: { status: 'error', errorCode: code, errorMessage: 'the disk is full', artefacts: [] },
    })
    expect(scene.warnings.join()).toContain('the automation log cannot be written')
  })

  test('can be run again in the same slot: same cut, next attempt, and the record before stays', async () => {
    const scene = await evening()
    scene.committed = async () => []
    const failing = scene.run('2026-06-27T21:15:00Z')
    await lateness(scene, failing)
    expect((await failing).finished).toMatchObject({ status: 'error', errorCode: 'OBS_JOB_BEHIND' })
    expect((await failing).exitCode).toBe(75)
    scene.committed = (group, topic) => scene.everything(group, topic)
    await scene.tick('2026-06-27T21:20:00Z')
    const { finished } = await scene.run('2026-06-27T21:15:00Z')
    expect(finished).toMatchObject({ status: 'ok', attempt: 2 })
    expect((await scene.finished()).map(({ status, attempt }) => [status, attempt])).toEqual([
      ['error', 1],
      ['ok', 2],
    ])
    expect(JSON.parse((await scene.file('ops/latency_job_heartbeat.json'))!).generated_at).toBe('2026-06-27T21:10:00Z')
  })

  test('does not make the heartbeat look alive', async () => {
    const scene = await evening()
    scene.committed = async () => []
    const failing = scene.run('2026-06-27T21:15:00Z')
    await lateness(scene, failing)
    expect(await scene.file('ops/latency_job_heartbeat.json')).toBeNull()
    expect(await scene.file('ops/automation_runs.log')).toContain('OBS_JOB_BEHIND')
  })
})

/** Lets the clock go on until a run that waits has ended. */
async function lateness(scene: Scene, run: Promise<unknown>): Promise<void> {
  let isOver = false
  void run.finally(() => {
    isOver = true
  })
  while (!isOver) {
    scene.clock.advance(1_000)
    await new Promise(setImmediate)
  }
}

describe('a dry run', () => {
  test('writes the usual tree into a folder of its own, and only its record is real', async () => {
    const scene = await evening()
    const { finished } = await scene.run('2026-06-27T21:15:00Z', { dryRun: true })
    expect(await scene.files('ops')).toEqual({})
    expect(Object.keys(await scene.files('out'))).toEqual(
      ['automation_runs.log', 'latency_job_heartbeat.json', 'signal_latency.csv', 'signal_latency_rollup.csv'].map(
        (name) => `out/dry-run/20260627T211500Z-latency/ops/${name}`,
      ),
    )
    expect(finished).toMatchObject({ status: 'ok', dryRun: true })
    expect(finished.artefacts[0]!.path).toBe('out/dry-run/20260627T211500Z-latency/ops/signal_latency.csv')
    expect(await scene.file('out/dry-run/20260627T211500Z-latency/ops/automation_runs.log')).toContain('"dry_run":true')
  })

  test('takes no slot, no rows and no file name from the real job, and needs no lock', async () => {
    const [scene, other] = [await evening(), await evening()]
    const lock = scene.lockOf()()
    await scene.tick('2026-06-28T00:00:00Z')
    await scene.run('2026-06-28T00:00:00Z', { dryRun: true })
    lock!.release()
    const { finished } = await scene.run('2026-06-28T00:00:00Z')
    await other.tick('2026-06-28T00:00:00Z')
    await other.run('2026-06-28T00:00:00Z')
    expect(finished).toMatchObject({ status: 'ok', attempt: 1, dryRun: false, summary: { samples_written: 2 } })
    expect(await scene.artefacts()).toEqual(await other.artefacts())
  })

  test('shows what the real job would write', async () => {
    const scene = await evening()
    await scene.run('2026-06-27T21:15:00Z')
    await scene.sample('router_demo', '2026-06-27T23:00:00Z')
    await scene.tick('2026-06-28T00:00:00Z')
    await scene.run('2026-06-28T00:00:00Z', { dryRun: true })
    await scene.run('2026-06-28T00:00:00Z')
    const real = await scene.artefacts()
    const dry = await scene.files('out/dry-run/20260628T000000Z-latency')
    for (const [path, content] of Object.entries(real))
      expect(dry[`out/dry-run/20260628T000000Z-latency/${path}`]).toBe(content)
  })
})

describe('options', () => {
  test('are those of the start, also for a retry by somebody who has others', async () => {
    const scene = await evening()
    await scene.run('2026-06-27T21:15:00Z', {
      options: { ...options, rollupOutput: 'ops/mine.csv', rollupRetentionDays: 0 },
    })
    expect(await scene.file('ops/mine.csv')).not.toContain('router_demo')
    const start = (await scene.process().jobs.history('latency')).starts[0]!
    scene.store = openMemoryArtefacts()
    expect((await rebuildLatency(scene.process(), start)).rollup.path).toBe('ops/mine.csv')
  })

  test('an output that leaves the data directory is an error, exit 73, and nothing is written there', async () => {
    const scene = await evening()
    const { finished, exitCode } = await scene.run('2026-06-27T21:15:00Z', {
      options: { ...options, rollupOutput: '../rollup.csv' },
    })
    expect(finished).toMatchObject({ status: 'error', errorCode: 'OBS_ARTEFACT_CANNOT_CREATE' })
    expect(exitCode).toBe(73)
  })
})
