import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { openFileArtefacts } from '#lib/artefacts/files.ts'
import { openMemoryArtefacts } from '#lib/artefacts/memory.ts'
import { writeLatencyFiles } from '#services/exporter/adapters/artefact-writer.ts'
import { rebuildLatency } from '#services/exporter/adapters/latency-job.ts'
import { runLatencyOnce } from '#services/exporter/adapters/latency-once.ts'
import { writeOperationsFiles } from '#services/exporter/adapters/operations-files.ts'
import { options, Scene, Steps } from './scene.ts'

const MINUTE = 60_000
const begin = Date.parse('2026-06-27T20:00:00Z')
const time = (minute: number): string => new Date(begin + minute * MINUTE).toISOString()

/** One thing that happens; minutes since the beginning. */
type Event =
  | {
      readonly kind: 'sample'
      readonly source: string
      readonly minute: number
      readonly ordinal: number
      readonly isError: boolean
    }
  | { readonly kind: 'window'; readonly hour: number; readonly revision: number }
  /** Time goes on, then a job runs and dies after some steps, a few times over, before it succeeds. */
  | { readonly kind: 'job'; readonly afterMinutes: number; readonly diesAfter: readonly number[] }

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('sample' as const),
      source: fc.constantFrom('a', 'b', 'job.x'),
      minute: fc.nat(3_000),
      ordinal: fc.nat(1),
      isError: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('window' as const), hour: fc.nat(40), revision: fc.nat(2) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('job' as const),
      afterMinutes: fc.integer({ min: 1, max: 2_000 }),
      diesAfter: fc.array(fc.integer({ min: 1, max: 24 }), { maxLength: 3 }),
    }),
  },
)
const story = fc.array(event, { minLength: 1, maxLength: 25 })

/** Short retention, so that files are also removed. */
const shortly = { ...options, rawRetentionDays: 1, rollupRetentionDays: 1 }

/**
 * - `calm`: no run is killed.
 * - `retried`: killed runs are run again in their slot.
 * - `abandoned`: a later run finds what killed ones have left.
 */
type Story = 'calm' | 'retried' | 'abandoned'

async function play(events: readonly Event[], story: Story): Promise<Scene> {
  const scene = await Scene.open()
  let minute = 0
  const undecided: string[] = []
  const decided = new Map<string, number>()
  for (const [i, one] of [...events, { kind: 'job', afterMinutes: 1, diesAfter: [] } as const].entries())
    if (one.kind === 'sample')
      await scene.sample(one.source, time(one.minute), {
        ordinal: one.ordinal,
        ...(one.isError ? { outcome: 'error', latencyMs: null, errorCode: 'x' } : {}),
      })
    else if (one.kind === 'window') undecided.push(`${one.hour}/${one.revision}`)
    else {
      minute += one.afterMinutes
      await scene.tick(time(minute))
      for (const name of undecided.splice(0)) await decide(scene, name, decided, minute)
      const kills = story === 'calm' ? [] : one.diesAfter
      for (const steps of kills) await die(scene, time(minute + i / 60), steps)
      const isAbandoned = story === 'abandoned' && kills.length > 0
      if (!isAbandoned) await scene.run(time(minute + i / 60), { options: shortly })
    }
  return scene
}

/** Writes a window as of the tick at hand; one that was written before is written again, as it was. */
async function decide(scene: Scene, name: string, decided: Map<string, number>, minute: number): Promise<void> {
  const [hour, revision] = name.split('/').map(Number) as [number, number]
  const decidedMinute = decided.get(name) ?? minute
  decided.set(name, decidedMinute)
  const fields = { revision, decidedAt: Date.parse(time(decidedMinute)), count: revision }
  await scene.window('a', time(hour * 60), fields, [decidedMinute, hour, revision])
}

/** A run that ends like one that was killed: nothing of it goes on, and its lock is free. */
async function die(scene: Scene, slot: string, left: number): Promise<void> {
  const steps = new Steps(left)
  await runLatencyOnce(scene.process(steps), scene.request(slot, { options: shortly }), scene.lockOf(steps)).catch(
    (error) => {
      if (!steps.isDead) throw error
    },
  )
  if (steps.isDead) scene.freeLock()
}

test('whatever happens, and wherever runs are killed and run again, the files are those of a calm history', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (events) => {
      const [calm, wild] = [await play(events, 'calm'), await play(events, 'retried')]
      expect(await wild.artefacts()).toEqual(await calm.artefacts())
    }),
    { numRuns: 60 },
  )
}, 60_000)

test('with every file deleted, the recorded jobs give the same bytes again', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (events) => {
      const scene = await play(events, 'abandoned')
      const files = await scene.files()
      scene.store = openMemoryArtefacts()
      const { jobs } = scene.process()
      const { starts } = await jobs.history('latency')
      await writeLatencyFiles(scene.store, await rebuildLatency(scene.process(), starts.at(-1)!))
      await writeOperationsFiles(scene.store, jobs)
      expect(await scene.files()).toEqual(files)
    }),
    { numRuns: 30 },
  )
}, 60_000)

test('at every cut of the past a rebuild gives what was recorded then', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (events) => {
      const scene = await play(events, 'abandoned')
      const ends = (await scene.finished()).filter((end) => end.status === 'ok')
      const { starts } = await scene.process().jobs.history('latency')
      for (const start of starts) {
        const end = ends.find((one) => one.slotAt === start.slotAt)!
        expect((await rebuildLatency(scene.process(), start)).artefacts).toEqual(end.artefacts)
      }
    }),
    { numRuns: 20 },
  )
}, 60_000)

test('a run killed between archive and current file loses no row', async () => {
  for (let left = 1; left < 24; left++) {
    const scene = await Scene.open()
    await scene.sample('a', '2026-06-27T22:00:00Z')
    await scene.tick('2026-06-27T23:00:00Z')
    await scene.run('2026-06-27T23:00:00Z')
    await scene.tick('2026-06-28T00:00:00Z')
    await die(scene, '2026-06-28T00:00:00Z', left)
    expect(Object.values(await scene.artefacts()).join()).toContain('2026-06-27T22:00:00Z,a,100')
  }
})

test('two jobs at once give one result: one runs, the other is skipped', async () => {
  const scene = await Scene.open()
  await scene.sample('a', '2026-06-27T22:00:00Z')
  await scene.tick('2026-06-27T23:00:00Z')
  const outcomes = await Promise.all(
    ['23:00:00', '23:00:00', '23:00:01'].map((slot) => scene.run(`2026-06-27T${slot}Z`)),
  )
  expect(outcomes.map(({ finished, exitCode }) => [finished.status, finished.skipReason, exitCode])).toEqual([
    ['ok', null, 0],
    ['skipped', 'lock_held', 0],
    ['skipped', 'lock_held', 0],
  ])
})

test('two jobs at once that know nothing of each other, as on two machines, write the same files', async () => {
  const scene = await Scene.open()
  await scene.sample('a', '2026-06-27T22:00:00Z')
  await scene.tick('2026-06-27T23:00:00Z')
  const first = scene.store
  const one = runLatencyOnce(scene.process(), scene.request('2026-06-27T23:00:00Z'), () => ({ release: () => {} }))
  scene.store = openMemoryArtefacts()
  const other = runLatencyOnce(scene.process(), scene.request('2026-06-27T23:00:00Z'), () => ({ release: () => {} }))
  const outcomes = await Promise.all([one, other])
  const second = await scene.artefacts()
  scene.store = first
  expect(await scene.artefacts()).toEqual(second)
  expect(outcomes.map(({ finished }) => finished.artefacts)).toEqual([
    outcomes[0]!.finished.artefacts,
    outcomes[0]!.finished.artefacts,
  ])
  expect((await scene.process().jobs.history('latency')).starts).toHaveLength(1)
})

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A scene whose files stand on the disk. */
async function sceneOnDisk(): Promise<{ readonly scene: Scene; readonly folder: string }> {
  const scene = await Scene.open()
  const folder = mkdtempSync(join(tmpdir(), 'exporter-'))
  folders.push(folder)
  scene.store = openFileArtefacts(folder)
  return { scene, folder }
}

test('a program that keeps the automation log open reads each line once, to the last one before midnight', async () => {
  const { scene, folder } = await sceneOnDisk()
  const path = join(folder, 'ops/automation_runs.log')
  await scene.tick('2026-06-27T22:00:00Z')
  await scene.run('2026-06-27T22:00:00Z')
  const followed = openSync(path, 'r')
  for (const at of ['2026-06-27T23:00:00Z', '2026-06-27T23:45:00Z', '2026-06-28T00:00:00Z', '2026-06-28T00:15:00Z']) {
    await scene.tick(at)
    await scene.run(at)
  }
  const slots = (lines: string): string[] => lines.match(/\d{8}T\d{6}Z-latency/g)!.map((id) => id.slice(6, 13))
  expect(slots(readFileSync(followed, 'utf8'))).toEqual(['27T2200', '27T2300', '27T2345'])
  closeSync(followed)
  expect(slots(readFileSync(path, 'utf8'))).toEqual(['28T0000', '28T0015'])
})

test('the list of checksums passes sha256sum -c, and fails when a file is changed', async () => {
  const { scene, folder } = await sceneOnDisk()
  for (const day of ['27', '28', '29']) {
    await scene.sample('a', `2026-06-${day}T22:00:00Z`)
    await scene.tick(`2026-06-${Number(day) + 1}T00:00:00Z`)
    await scene.run(`2026-06-${Number(day) + 1}T00:00:00Z`)
  }
  const check = () =>
    spawnSync('sha256sum', ['-c', 'SHA256SUMS'], { cwd: join(folder, 'ops/signal_latency_archive'), encoding: 'utf8' })
  expect(check().stdout.match(/: OK\n/g)).toHaveLength(3)
  expect(check().status).toBe(0)
  await scene.store.write('ops/signal_latency_archive/2026/06/20260629T000000Z-latency-1.csv', Buffer.from('x'))
  expect(check().status).not.toBe(0)
})

test('samples spread over partitions give the files of one partition', async () => {
  const sources = ['a', 'b', 'c', 'd']
  const filesOf = async (partitions: number): Promise<unknown> => {
    const scene = await Scene.open(partitions)
    for (let minute = 0; minute < 300; minute += 15) {
      for (const [i, source] of sources.entries())
        await scene.sample(source, time(minute), { partition: i % partitions })
      await scene.tick(time(minute + 1))
      if (minute % 60 === 0) await scene.run(time(minute + 1))
    }
    return await scene.artefacts()
  }
  const one = await filesOf(1)
  expect(await filesOf(3)).toEqual(one)
  expect(Object.keys(one as object).length).toBeGreaterThan(3)
})
