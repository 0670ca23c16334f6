import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type Certificate, certify } from '#cli/replay/certificate.ts'
import { LatencyFiles } from '#cli/replay/latency-files.ts'
import { EVERYTHING } from '#cli/replay/range.ts'
import { rebuildFiles } from '#cli/replay/rebuild-files.ts'
import { currentFolds, type Folds, refold } from '#cli/replay/refold.ts'
import { openMemoryArtefacts } from '#lib/artefacts/memory.ts'
import { skip } from '#lib/jobs/claim.ts'
import { chooseCut } from '#lib/jobs/cut.ts'
import { ENGINE } from '#lib/plan.ts'
import { codecOf } from '#lib/runtime/environment.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { DAY_MS, HOUR_MS, type Instant } from '#lib/time.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { rebuildLatency } from '#services/exporter/adapters/latency-job.ts'
import { latencyStart } from '#services/exporter/latency-start.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { RecordedDesk, scratchLog } from '#tests/replay/recorded-desk.ts'
import { BEGINS_AT, plansOf, type Step, scenario } from '#tests/replay/scenario.ts'
import { SelfWindingClock } from '#tests/replay/self-winding-clock.ts'

const at = (time: string): Instant => Date.parse(time)
const CURRENT = 'ops/signal_latency.csv'
const ROLLUP = 'ops/signal_latency_rollup.csv'
const LOG = 'ops/automation_runs.log'
const ROTATED_LOG = 'ops/automation_runs.2026-06-26-1.log'

interface Recorded {
  readonly desk: RecordedDesk
  readonly dataDir: string
}

async function record(
  steps: readonly Step[],
  {
    plans = plansOf(),
    folds = currentFolds,
  }: { readonly plans?: ReturnType<typeof plansOf>; readonly folds?: Folds } = {},
): Promise<Recorded> {
  const dataDir = mkdtempSync(join(tmpdir(), 'obstream-replay-test-'))
  const desk = await RecordedDesk.open(new SelfWindingClock(BEGINS_AT), { dataDir, folds })
  await desk.publish(plans.friday, plans.sunday)
  await desk.play(steps)
  return { desk, dataDir }
}

/** Until Saturday morning: a warning, a critical alert, recovery, midnight. */
const untilSaturday = (): readonly Step[] => scenario(plansOf(), at('2026-06-27T06:00:00Z'))

async function check({ desk }: Recorded, between: () => Promise<void> = async () => {}, range = EVERYTHING) {
  const rebuilt = await refold(desk.env, scratchLog(1))
  await between()
  return await certify(desk.env, rebuilt, await LatencyFiles.read(rebuilt.env), range)
}

const verdicts = ({ artefacts }: Certificate): Record<string, string> =>
  Object.fromEntries(artefacts.map(({ artefact, verdict }) => [artefact, verdict]))

const archiveOf = (dataDir: string): string => {
  const folder = 'ops/signal_latency_archive/2026/06'
  return `${folder}/${readdirSync(join(dataDir, folder)).toSorted()[0]}`
}

describe('a log that is whole', () => {
  test('is rebuilt from the beginning, and everything is equal', async () => {
    const recorded = await record(untilSaturday())
    const certificate = await check(recorded)
    expect(certificate).toMatchObject({ verdict: 'equal', recomputedFrom: Number.NEGATIVE_INFINITY, takenBecause: [] })
    expect(certificate.facts).toMatchObject({ takenCount: 0, differences: [] })
    expect(certificate.facts.equalCount).toBeGreaterThan(60)
    expect(new Set(Object.values(verdicts(certificate)))).toEqual(new Set(['equal']))
    expect(Object.keys(verdicts(certificate))).toEqual(
      expect.arrayContaining([CURRENT, ROLLUP, LOG, ROTATED_LOG, archiveOf(recorded.dataDir)]),
    )
  })

  test('a live file that is missing or was changed is different, and it says which', async () => {
    const recorded = await record(untilSaturday())
    const archive = archiveOf(recorded.dataDir)
    rmSync(join(recorded.dataDir, ROLLUP))
    rmSync(join(recorded.dataDir, ROTATED_LOG))
    writeFileSync(join(recorded.dataDir, archive), 'timestamp_utc,source,latency_ms\n')
    const certificate = await check(recorded)
    expect(certificate.verdict).toBe('different')
    expect(verdicts(certificate)).toMatchObject({
      [CURRENT]: 'equal',
      [ROLLUP]: 'different',
      [archive]: 'different',
      [LOG]: 'equal',
      [ROTATED_LOG]: 'different',
    })
    expect(certificate.artefacts.find(({ artefact }) => artefact === ROLLUP)).toMatchObject({
      live: null,
      recorded: expect.stringMatching(/^[0-9a-f]{64}$/),
      rebuilt: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  test('an archive file whose time is up has moved on; the recorded bytes are proved all the same', async () => {
    const recorded = await record(scenario(plansOf(), at('2026-06-29T02:00:00Z')))
    const certificate = await check(recorded)
    const archived = certificate.artefacts.filter(({ artefact }) => artefact.endsWith('-1.csv'))
    expect(archived.map(({ verdict, live }) => [verdict, live === null])).toContainEqual(['moved_on', true])
    expect(archived.map(({ verdict }) => verdict)).toContain('equal')
    expect(certificate.verdict).toBe('equal')
  })

  test('of a range, the files of later jobs have moved on', async () => {
    const recorded = await record(untilSaturday())
    const range = { from: at('2026-06-26T14:00:00Z'), until: at('2026-06-26T16:00:00Z') }
    const certificate = await check(recorded, async () => {}, range)
    expect(certificate.artefacts.find(({ artefact }) => artefact === CURRENT)).toMatchObject({
      cutAt: at('2026-06-26T15:00:00Z'),
      verdict: 'moved_on',
    })
    expect(certificate.verdict).toBe('equal')
  })
})

describe('while services go on', () => {
  test('facts and jobs that come after the replay began are no differences', async () => {
    const later = scenario(plansOf(), at('2026-06-27T12:00:00Z')).slice(untilSaturday().length)
    const recorded = await record(untilSaturday())
    const certificate = await check(recorded, () => recorded.desk.play(later))
    expect(certificate.verdict).toBe('equal')
    expect(verdicts(certificate)).toMatchObject({ [CURRENT]: 'moved_on', [ROLLUP]: 'moved_on', [LOG]: 'moved_on' })
  })

  test('an automation log that is rotated meanwhile has moved on, and those rotated before are equal', async () => {
    const later = scenario(plansOf(), at('2026-06-28T01:00:00Z')).slice(untilSaturday().length)
    const recorded = await record(untilSaturday())
    const certificate = await check(recorded, () => recorded.desk.play(later))
    expect(certificate.verdict).toBe('equal')
    expect(verdicts(certificate)).toMatchObject({ [LOG]: 'moved_on', [ROTATED_LOG]: 'equal' })
  })

  test('a job that is open, with some of its files written, is no difference', async () => {
    const recorded = await record(untilSaturday())
    const { desk, dataDir } = recorded
    await desk.append(samplesOf(scenario(plansOf(), at('2026-06-27T08:00:00Z')).slice(untilSaturday().length)))
    await desk.fold()
    const deps = exporterDependencies(desk.env)
    const cut = await chooseCut(desk.env.log, deps.codecs.sample)
    const start = latencyStart(desk.request(at('2026-06-27T08:00:00Z')), cut)
    await deps.jobs.append(start)
    const { current } = await rebuildLatency(deps, start)
    writeFileSync(join(dataDir, CURRENT), current.content)
    const certificate = await check(recorded)
    expect(certificate.verdict).toBe('equal')
    expect(verdicts(certificate)).toMatchObject({ [CURRENT]: 'moved_on', [ROLLUP]: 'equal', [LOG]: 'equal' })
  })

  test('a run that was skipped after the last job changes no file, and is no difference', async () => {
    const recorded = await record(untilSaturday())
    const { jobs } = exporterDependencies(recorded.desk.env)
    const run = { job: 'latency', slotAt: at('2026-06-27T07:00:00Z'), jobId: '20260627T070000Z-latency', runId: 'x' }
    await skip(
      jobs,
      { start: { ...run, dryRun: false }, now: at('2026-06-27T07:00:00Z'), nextRunAt: null },
      'lock_held',
    )
    expect(verdicts(await check(recorded))).toMatchObject({ [LOG]: 'equal' })
  })

  test('rollup that has not come to the end yet is no difference', async () => {
    const steps = untilSaturday()
    const recorded = await record(steps)
    await recorded.desk.append(samplesOf(scenario(plansOf(), at('2026-06-28T06:00:00Z')).slice(steps.length)))
    const certificate = await check(recorded)
    expect(certificate.facts.differences).toEqual([])
    expect(certificate.verdict).toBe('equal')
  })
})

describe('a log that no longer holds its oldest samples', () => {
  /** What was appended before that is gone. */
  async function forget({ desk }: Recorded, before: Instant): Promise<void> {
    const now = desk.clock.now()
    desk.clock.jumpTo(before + 120 * DAY_MS)
    await desk.env.log.topics.compact(catalogue)
    desk.clock.jumpTo(now)
  }

  test('takes recorded facts as the start, and says from when it is recomputed', async () => {
    const recorded = await record(scenario())
    await forget(recorded, at('2026-06-26T23:00:00Z'))
    const certificate = await check(recorded)
    expect(certificate.facts.differences).toEqual([])
    expect(certificate).toMatchObject({ verdict: 'equal', takenBecause: ['retention'] })
    const { recomputedFrom, facts } = certificate
    expect(recomputedFrom).toBeGreaterThan(at('2026-06-27T22:00:00Z'))
    expect(recomputedFrom).toBeLessThan(at('2026-06-28T08:00:00Z'))
    expect(facts.takenCount).toBeGreaterThan(100)
    expect(facts.equalCount).toBeGreaterThan(100)
  })

  test('an artefact whose samples are gone is expired, one made of what is left is equal', async () => {
    const recorded = await record(scenario())
    await forget(recorded, at('2026-06-26T23:00:00Z'))
    const certificate = await check(recorded)
    const files = verdicts(certificate)
    expect(files).toMatchObject({ [CURRENT]: 'equal', [ROLLUP]: 'equal' })
    expect(Object.entries(files).find(([path]) => path.includes('20260627T000500Z'))?.[1]).toBe('expired')
    expect(certificate.verdict).toBe('equal')
  })

  test('files that would lack rows are left out of a rebuilt folder', async () => {
    const recorded = await record(scenario())
    await forget(recorded, at('2026-06-26T23:00:00Z'))
    const rebuilt = await refold(recorded.desk.env, scratchLog(1))
    const store = openMemoryArtefacts()
    const range = { ...EVERYTHING, until: at('2026-06-27T06:00:00Z') }
    const files = await LatencyFiles.read(rebuilt.env)
    const { jobId, leftOut } = await rebuildFiles(rebuilt.env, files, store, { range, provenOnly: true })
    expect(jobId).toBe('20260627T010000Z-latency')
    expect(leftOut).toEqual([expect.stringContaining('20260627T000500Z-latency-1.csv')])
    expect(await store.read(leftOut[0]!)).toBeNull()
    expect(await store.read(CURRENT)).not.toBeNull()
  })

  test('an archive file that outlives its samples is expired, and the list that names it is recorded only', async () => {
    const recorded = await record(scenario(plansOf(), at('2026-06-29T02:00:00Z')))
    await forget(recorded, at('2026-06-28T12:00:00Z'))
    const certificate = await check(recorded)
    const newest = Object.entries(verdicts(certificate)).filter(([path]) => /20260629T000500Z|SHA256SUMS/.test(path))
    expect(newest.map(([, verdict]) => verdict).toSorted()).toEqual(['expired', 'recorded_only'])
    expect(certificate.verdict).toBe('equal')
  })

  test('a difference in what is left is still found', async () => {
    const recorded = await record(scenario())
    await forget(recorded, at('2026-06-26T23:00:00Z'))
    writeFileSync(
      join(recorded.dataDir, CURRENT),
      readFileSync(join(recorded.dataDir, CURRENT), 'utf8').replace('1', '2'),
    )
    expect(await check(recorded)).toMatchObject({ verdict: 'different' })
  })

  test('where too little is left, nothing is recomputed, and windows count as recorded only', async () => {
    const recorded = await record(scenario())
    await forget(recorded, at('2026-06-29T09:00:00Z'))
    const certificate = await check(recorded)
    expect(certificate).toMatchObject({ verdict: 'equal', recomputedFrom: Number.POSITIVE_INFINITY })
    expect(certificate.facts).toMatchObject({ equalCount: 0, differences: [] })
    expect(verdicts(certificate)[ROLLUP]).toBe('recorded_only')
  })
})

describe('a log of another engine', () => {
  const OTHER = ENGINE + 1
  const plansOfBoth = { ...plansOf(OTHER), sunday: plansOf().sunday }

  /** Rollup that says something else about plans of the other engine. */
  const otherFolds: Folds = [
    (env) => {
      const rollup = rollupReading(codecOf(env, topics.sample))
      return runToEnd(
        {
          ...rollup,
          step: (board, input, context) =>
            rollup
              .step(board, input, context)
              .map((output) =>
                context.plan?.engine === OTHER && 'latencies' in output.value
                  ? { ...output, value: { ...output.value, latencies: [] } }
                  : output,
              ),
        },
        env,
      )
    },
    currentFolds[1]!,
  ]

  test('is taken as recorded as long as that engine ran, and recomputed from there on', async () => {
    const recorded = await record(scenario(plansOfBoth), { plans: plansOfBoth, folds: otherFolds })
    const certificate = await check(recorded)
    expect(certificate.facts.differences).toEqual([])
    expect(certificate).toMatchObject({ verdict: 'equal', takenBecause: ['engine'] })
    expect(certificate.facts.equalCount).toBeGreaterThan(50)
    expect(certificate.recomputedFrom).toBe(at('2026-06-28T20:30:00Z'))
  })

  test('whose engine runs still is taken as recorded as a whole', async () => {
    const plans = plansOf(OTHER)
    const recorded = await record(scenario(plans, BEGINS_AT + 8 * HOUR_MS), { plans, folds: otherFolds })
    const certificate = await check(recorded)
    expect(certificate).toMatchObject({ verdict: 'equal', recomputedFrom: Number.POSITIVE_INFINITY })
    expect(verdicts(certificate)).toMatchObject({ [ROLLUP]: 'recorded_only', [CURRENT]: 'equal' })
  })
})

const samplesOf = (steps: readonly Step[]) => steps.flatMap((step) => (step.type === 'sample' ? [step.sample] : []))
