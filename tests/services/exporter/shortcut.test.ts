import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { openMemoryArtefacts } from '#lib/artefacts/memory.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { JobFinished } from '#lib/facts.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { writeLatencyFiles } from '#services/exporter/adapters/artefact-writer.ts'
import { readRecentFacts } from '#services/exporter/adapters/latency-inputs.ts'
import { rebuildLatency } from '#services/exporter/adapters/latency-job.ts'
import { runLatencyOnce } from '#services/exporter/adapters/latency-once.ts'
import type { LatencyProjection } from '#services/exporter/latency-projection.ts'
import type { LatencyRequest } from '#services/exporter/latency-start.ts'
import { at, options, Scene } from './scene.ts'

const ARCHIVE = 'ops/signal_latency_archive'
const begin = at('2026-06-24T00:00:00Z')
const time = (ms: number): string => new Date(begin + ms).toISOString()

/** What the newest job would be, made from every sample of the log; and its files in an empty folder. */
async function fromAllSamples(scene: Scene): Promise<{ projection: LatencyProjection; files: object }> {
  const process = scene.process()
  const { starts } = await process.jobs.history('latency')
  const projection = await rebuildLatency(process, starts.at(-1)!)
  const live = scene.store
  scene.store = openMemoryArtefacts()
  await writeLatencyFiles(scene.store, projection)
  const files = await scene.artefacts()
  scene.store = live
  return { projection, files }
}

async function expectSameFromAllSamples(scene: Scene, finished: JobFinished): Promise<void> {
  const { projection, files } = await fromAllSamples(scene)
  expect(await scene.artefacts()).toEqual(files)
  const { artefacts, alerts, summary } = projection
  expect(finished).toMatchObject({ status: 'ok', artefacts, alerts, summary })
}

/** Whether the newest job could be made from the samples of the last days. */
async function hasShortcut(scene: Scene): Promise<boolean> {
  const { log, codecs, jobs } = scene.process()
  const history = await jobs.history('latency')
  return (await readRecentFacts(log, codecs, { history, start: history.starts.at(-1)! })) !== null
}

/** A sample of `a` every two hours, a tick and a job every six. */
async function days(scene: Scene, count = 4): Promise<void> {
  for (let ms = 0; ms <= count * DAY_MS; ms += 2 * HOUR_MS) {
    scene.logClock.jumpTo(begin + ms)
    await scene.sample('a', time(ms))
    if (ms % (6 * HOUR_MS) !== 0) continue
    await scene.tick(time(ms))
    await scene.run(time(ms))
  }
}

/** A run that ends with an error when the archive is written, and the other files are not. */
async function failsAfterArchiving(scene: Scene, request: LatencyRequest): Promise<void> {
  const process = scene.process()
  const read = async (path: string): Promise<Uint8Array | null> => {
    if (path === 'ops/signal_latency.csv') throw new Error('this one fails')
    return await process.store.read(path)
  }
  const store = { ...process.store, read }
  expect((await runLatencyOnce({ ...process, store }, request, scene.lockOf())).finished.status).toBe('error')
}

interface Slot {
  /** Sources in the order of their samples, and how many minutes before the slot each was due; negative: after it. */
  readonly samples: readonly {
    readonly source: string
    readonly ageMinutes: number
    readonly ordinal: number
    readonly isError: boolean
    readonly partition: number
  }[]
  readonly job: 'ok' | 'fails' | 'none'
  readonly rawRetentionDays: number
}

const age = fc.oneof(
  { weight: 15, arbitrary: fc.integer({ min: 0, max: 240 }) },
  { weight: 1, arbitrary: fc.integer({ min: -3_000, max: 6_000 }) },
)
const slot: fc.Arbitrary<Slot> = fc.record({
  samples: fc.array(
    fc.record({
      source: fc.constantFrom('a', 'b', 'job.x'),
      ageMinutes: age.map((minutes) => minutes - (minutes % 15)),
      ordinal: fc.nat(1),
      isError: fc.boolean(),
      partition: fc.nat(1),
    }),
    { maxLength: 3 },
  ),
  job: fc.oneof({ weight: 5, arbitrary: fc.constant('ok' as const) }, fc.constantFrom('fails', 'none')),
  rawRetentionDays: fc.oneof({ weight: 5, arbitrary: fc.constant(2) }, fc.constantFrom(1, 14)),
})

/** Every job of these slots, four hours each, compared with one that is made from all samples. */
async function play(slots: readonly Slot[]): Promise<{ readonly short: number; readonly long: number }> {
  const scene = await Scene.open(2)
  const taken = { short: 0, long: 0 }
  for (const [i, { samples, job, rawRetentionDays }] of slots.entries()) {
    const now = i * 4 * HOUR_MS
    for (const { source, ageMinutes, ordinal, isError, partition } of samples)
      await scene.sample(source, time(now - ageMinutes * MINUTE_MS), {
        ordinal,
        partition,
        ...(isError ? { outcome: 'error', latencyMs: null, errorCode: 'x' } : {}),
      })
    await scene.tick(time(now))
    if (job === 'none') continue
    const request = scene.request(time(now), { options: { ...options, rawRetentionDays } })
    if (job === 'fails') await failsAfterArchiving(scene, request)
    else {
      const { finished } = await runLatencyOnce(scene.process(), request, scene.lockOf())
      taken[(await hasShortcut(scene)) ? 'short' : 'long']++
      await expectSameFromAllSamples(scene, finished)
    }
  }
  return taken
}

test('a job made from the samples of the last days has the bytes of one made from all of them', async () => {
  const taken = { short: 0, long: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(slot, { minLength: 12, maxLength: 26 }), async (slots) => {
      const { short, long } = await play(slots)
      taken.short += short
      taken.long += long
    }),
    { numRuns: 40 },
  )
  expect(taken.short).toBeGreaterThan(taken.long / 5)
}, 120_000)

describe('the samples of earlier days', () => {
  test('are not read', async () => {
    const scene = await Scene.open()
    await days(scene, 8)
    const { end } = (await scene.log.offsets(topics.sample.name))[0]!
    let readFrom = end
    const log: EventLog = {
      ...scene.process().log,
      read: (topic, partition, from, to, signal) => {
        if (topic === topics.sample.name) readFrom = Math.min(readFrom, from)
        return scene.log.read(topic, partition, from, to, signal)
      },
    }
    const history = await scene.process().jobs.history('latency')
    const facts = await readRecentFacts(log, scene.codecs, { history, start: history.starts.at(-1)! })
    expect(facts!.newRows.at(-1)).toHaveLength(3)
    expect(readFrom).toBeGreaterThanOrEqual(Math.floor(end / 2))
  })

  test('are read when a file of theirs is damaged or lost, and it is made whole', async () => {
    const scene = await Scene.open()
    await days(scene)
    const files = await scene.artefacts()
    const [first, second] = Object.keys(files).filter((path) => path.startsWith(ARCHIVE) && path.endsWith('.csv'))
    await scene.store.write(first!, Buffer.from('damaged'))
    await scene.store.remove(second!)
    await scene.run(time(4 * DAY_MS + MINUTE_MS))
    expect(await scene.artefacts()).toEqual(files)
  })

  test.each([
    ['a sample comes that is three days late', 'b'],
    ['a copy comes of one that is archived', 'a'],
  ])('are read when %s', async (_, source) => {
    const scene = await Scene.open()
    await days(scene)
    expect(await hasShortcut(scene)).toBe(true)
    await scene.sample(source, time(DAY_MS))
    await scene.tick(time(4 * DAY_MS + HOUR_MS))
    const { finished } = await scene.run(time(4 * DAY_MS + HOUR_MS))
    expect(await hasShortcut(scene)).toBe(false)
    await expectSameFromAllSamples(scene, finished)
  })

  test('are read while a sample of the future stands in the file', async () => {
    const scene = await Scene.open()
    await scene.sample('b', time(5 * DAY_MS))
    await days(scene)
    expect(await hasShortcut(scene)).toBe(false)
  })

  test('a job that failed at midnight hides nothing: the next one names the file that it made', async () => {
    const scene = await Scene.open()
    await days(scene, 2.75)
    await scene.tick(time(3 * DAY_MS))
    await failsAfterArchiving(scene, scene.request(time(3 * DAY_MS)))
    await scene.tick(time(3 * DAY_MS + HOUR_MS))
    const { finished } = await scene.run(time(3 * DAY_MS + HOUR_MS))
    expect(finished.artefacts.map(({ path }) => path)).toContain(
      'ops/signal_latency_archive/2026/06/20260627T000000Z-latency-1.csv',
    )
    await scene.tick(time(3 * DAY_MS + 2 * HOUR_MS))
    const next = await scene.run(time(3 * DAY_MS + 2 * HOUR_MS))
    expect(await hasShortcut(scene)).toBe(true)
    await expectSameFromAllSamples(scene, next.finished)
  })

  test('that filled a file before midnight are not rotated again', async () => {
    const scene = await Scene.open()
    await days(scene)
    const wide = 'x'.repeat(500_000)
    for (let minute = 1; minute <= 45; minute++) {
      await scene.sample(wide, time(4 * DAY_MS + minute * MINUTE_MS))
      if (minute % 15 !== 0) continue
      await scene.tick(time(4 * DAY_MS + minute * MINUTE_MS))
      const { finished } = await scene.run(time(4 * DAY_MS + minute * MINUTE_MS))
      expect(await hasShortcut(scene)).toBe(true)
      await expectSameFromAllSamples(scene, finished)
    }
    const today = (await scene.finished()).slice(-3).flatMap(({ artefacts }) => artefacts)
    expect(today.filter(({ path }) => path.endsWith('-1.csv'))).toHaveLength(2)
  })
})

describe('when the log no longer holds the samples of an archive file', () => {
  const long = { ...options, rawRetentionDays: 400 }

  /**
   * The samples of the first days are gone, their files stand; those of the newest day are left.
   *
   * @param shortlyAt a job that keeps files for a day
   */
  async function afterRetention(shortlyAt = -1): Promise<Scene> {
    const scene = await Scene.open()
    for (let day = 0; day <= 4; day++)
      for (const hour of [0, 12]) {
        const ms = day * DAY_MS + hour * HOUR_MS
        scene.logClock.jumpTo(begin + ms)
        await scene.sample('a', time(ms))
        await scene.tick(time(ms))
        const rawRetentionDays = ms === shortlyAt ? 1 : long.rawRetentionDays
        await scene.run(time(ms), { options: { ...options, rawRetentionDays } })
      }
    const now = scene.logClock.now()
    scene.logClock.jumpTo(begin + 2.75 * DAY_MS + 120 * DAY_MS)
    await scene.log.topics.compact(catalogue)
    scene.logClock.jumpTo(now)
    expect((await scene.log.offsets(topics.sample.name))[0]!.earliest).toBeGreaterThan(0)
    return scene
  }

  /** From all samples that are left. */
  async function runWithoutShortcut(scene: Scene, slot: string): Promise<void> {
    await scene.sample('late', time(DAY_MS))
    await scene.tick(slot)
    await scene.run(slot, { options: long })
    expect(await hasShortcut(scene)).toBe(false)
  }

  test('the file stays as it is, and in the list of checksums', async () => {
    const scene = await afterRetention()
    const before = await scene.artefacts()
    await runWithoutShortcut(scene, time(4 * DAY_MS + 13 * HOUR_MS))
    const after = await scene.artefacts()
    const archived = Object.keys(before).filter((path) => path.startsWith(ARCHIVE) && path.endsWith('.csv'))
    expect(archived).toHaveLength(4)
    for (const path of archived) {
      expect(after[path]).toBe(before[path])
      expect(after[`${ARCHIVE}/SHA256SUMS`]).toContain(path.slice(ARCHIVE.length + 1))
    }
    expect(scene.warnings).toEqual([])
  })

  test('a file that was removed before its samples went stays removed, whatever later jobs ask', async () => {
    const scene = await afterRetention(2.5 * DAY_MS)
    await runWithoutShortcut(scene, time(4 * DAY_MS + 13 * HOUR_MS))
    expect((await scene.store.list(ARCHIVE)).filter((path) => path.endsWith('.csv'))).toHaveLength(4)
    expect(scene.warnings).toEqual([])
  })

  test('it is removed when its time is up', async () => {
    const scene = await afterRetention()
    const slot = time(4 * DAY_MS + 13 * HOUR_MS)
    await scene.tick(slot)
    await scene.run(slot, { options: { ...options, rawRetentionDays: 2 } })
    const left = (await scene.store.list(ARCHIVE)).filter((path) => path.endsWith('.csv'))
    expect(left).toEqual([`${ARCHIVE}/2026/06/20260628T000000Z-latency-1.csv`])
  })

  test('one that is gone cannot be made again, and the job says so', async () => {
    const scene = await afterRetention()
    const first = (await scene.store.list(ARCHIVE)).find((path) => path.endsWith('.csv'))!
    await scene.store.remove(first)
    await runWithoutShortcut(scene, time(4 * DAY_MS + 13 * HOUR_MS))
    expect(scene.warnings).toEqual([expect.stringContaining(`${first} is damaged or gone, and so are its samples`)])
    expect(await scene.file(`${ARCHIVE}/SHA256SUMS`)).toContain(first.slice(ARCHIVE.length + 1))
  })
})
