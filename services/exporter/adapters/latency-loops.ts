import type { Config } from '#lib/config.ts'
import { isObstreamError, type ObstreamError } from '#lib/errors.ts'
import type { JobStarted } from '#lib/facts.ts'
import { attemptOf, claimSlot } from '#lib/jobs/claim.ts'
import { chooseCut } from '#lib/jobs/cut.ts'
import type { Ids } from '#lib/runtime/ids.ts'
import type { RunningService } from '#lib/runtime/run.ts'
import { type Instant, MINUTE_MS, type Milliseconds, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { type LatencyOptions, latencyOptions } from '../latency-options.ts'
import { LATENCY_JOB, latencySlotOf, latencyStart } from '../latency-start.ts'
import type { JobLock } from './job-lock.ts'
import { type LatencyJobDependencies, runLatencyJob } from './latency-job.ts'
import { writeOperationsFiles } from './operations-files.ts'

export interface ExporterDependencies extends LatencyJobDependencies {
  readonly ids: Ids
  readonly lock: JobLock
}

/** The latency jobs that a running system starts by itself. */
export interface LatencySchedule extends ConfiguredSchedule {
  /** argv, secrets masked. */
  readonly command: readonly string[]
  readonly commitSha: string | null
}

interface ConfiguredSchedule {
  /** Length between two starts of the latency job, aligned to 1970-01-01T00:00:00Z. */
  readonly everyMs: Milliseconds
  readonly options: LatencyOptions
}

/** What the configuration says of them. */
export function latencySchedule(config: Config): ConfiguredSchedule {
  return { everyMs: config.jobs.latency.everyMs, options: latencyOptions(config) }
}

const RETRY_MS = SECOND_MS
/** A wall clock that is set while we sleep is noticed after this time. */
const LONGEST_SLEEP_MS = 30 * SECOND_MS
/** Ticks come at least once a minute, so a log without one is nothing to tell before. */
const FIRST_TICK_WITHIN_MS = 2 * MINUTE_MS

/**
 * Two loops that only meet in the log: the scheduler claims a slot when its time has come, the executor runs whatever
 * start is open. So a long run never delays the clock, and a start that another process claimed, or left behind, is run.
 */
export class LatencyLoops implements RunningService {
  readonly name = 'exporter'
  readonly ended: Promise<void>
  readonly #deps: ExporterDependencies
  #schedule: LatencySchedule
  readonly #stopping = new AbortController()
  /** Run ids that this process has claimed with. */
  readonly #claimed = new Set<string>()
  readonly #startedAtMs: Milliseconds
  #newestSlotAt: Instant = Number.NEGATIVE_INFINITY
  #troubles = new Map<string, string>()
  /** The trouble of each loop that was told last. */
  #told = new Map<string, string>()

  /** Starts at once. */
  constructor(deps: ExporterDependencies, schedule: LatencySchedule) {
    this.#deps = deps
    this.#schedule = schedule
    this.#startedAtMs = deps.clock.monotonicMs()
    this.ended = this.#run()
    this.ended.catch(() => {})
  }

  get waitsFor(): string | null {
    return this.#troubles.values().next().value ?? null
  }

  /** Slots that begin from now on are those of the new schedule, with its options. */
  async reload(config: Config): Promise<void> {
    this.#schedule = { ...this.#schedule, ...latencySchedule(config) }
  }

  /** Ends a running job between two of its steps; its slot stays open for the next start. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#deps.jobs.stop()
    await this.ended.catch(() => {})
  }

  async #run(): Promise<void> {
    try {
      await Promise.all([
        this.#persist('scheduler', () => this.#claimSlots()),
        this.#persist('executor', () => this.#runStarts()),
      ])
    } finally {
      this.#stopping.abort()
    }
  }

  /** Lets a loop begin anew after every failure that may pass; all it needs to know is in the log. */
  async #persist(loop: string, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted)
      try {
        await work()
      } catch (error) {
        if (signal.aborted) return
        if (!isObstreamError(error) || !(error.retryable || error.code.startsWith('OBS_ARTEFACT_'))) throw error
        this.#troubles.set(loop, error.message)
        this.#tell(loop, error)
        await this.#deps.clock.sleep(RETRY_MS, signal)
      }
  }

  #forget(loop: string): void {
    this.#troubles.delete(loop)
    this.#told.delete(loop)
  }

  /** Each trouble once, as long as it is the same. That the sampler has not ticked yet is none at a start. */
  #tell(loop: string, error: ObstreamError): void {
    const { clock, logger } = this.#deps
    const isNew = clock.monotonicMs() - this.#startedAtMs < FIRST_TICK_WITHIN_MS
    if ((isNew && error.code === 'OBS_JOB_NO_TICK') || this.#told.get(loop) === error.message) return
    this.#told.set(loop, error.message)
    logger.warn({ error }, `the ${loop} tries again: ${error.message}`)
  }

  async #claimSlots(): Promise<void> {
    const { clock } = this.#deps
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const slotAt = latencySlotOf(clock.now(), this.#schedule.everyMs)
      if (slotAt > this.#newestSlotAt) await this.#claim(slotAt)
      this.#newestSlotAt = Math.max(this.#newestSlotAt, slotAt)
      this.#forget('scheduler')
      const untilNextMs = slotAt + this.#schedule.everyMs - clock.now()
      await clock.sleep(Math.min(Math.max(untilNextMs, 1), LONGEST_SLEEP_MS), signal)
    }
  }

  /** Without the lock: an earlier start that is still open makes this one `skipped`. */
  async #claim(slotAt: Instant): Promise<void> {
    const { log, codecs, clock, ids, jobs, logger } = this.#deps
    const { everyMs, ...asked } = this.#schedule
    const cut = await chooseCut(log, codecs.sample, this.#stopping.signal)
    const runId = ids.next()
    this.#claimed.add(runId)
    const start = latencyStart({ ...asked, slotAt, runId, dryRun: false }, cut)
    const outcome = await claimSlot(jobs, { start, holdsLock: false, now: clock.now(), nextRunAt: slotAt + everyMs })
    if (outcome.kind === 'skipped')
      logger.warn({ jobId: start.jobId }, `${start.jobId} is skipped: ${outcome.finished.skipReason}`)
  }

  async #runStarts(): Promise<void> {
    const { log } = this.#deps
    const { signal } = this.#stopping
    const { end } = (await log.offsets(topics.job.name))[0]!
    await this.#runOpen()
    await this.#catchUp()
    this.#forget('executor')
    for await (const _batch of log.follow(topics.job.name, 0, end, signal)) await this.#runOpen()
  }

  /** A process that was killed between the end of a job and the files that tell of it has left those behind. */
  async #catchUp(): Promise<void> {
    const { jobs, store, lock } = this.#deps
    const held = (await jobs.finished()).length > 0 ? lock() : null
    try {
      if (held) await writeOperationsFiles(store, jobs)
    } finally {
      held?.release()
    }
  }

  /** Runs the open start, if there is one; waits while another process holds the lock and may be running it. */
  async #runOpen(): Promise<void> {
    const { jobs, lock, clock } = this.#deps
    const { signal } = this.#stopping
    for (;;) {
      signal.throwIfAborted()
      const start = (await jobs.history(LATENCY_JOB)).open
      if (!start) return
      const held = lock()
      if (held)
        try {
          await this.#runIfOpen(start)
        } finally {
          held.release()
        }
      else await clock.sleep(RETRY_MS, signal)
    }
  }

  /** Looks again, since the lock's last holder may have ended the start. */
  async #runIfOpen(start: JobStarted): Promise<void> {
    const { jobs, clock, ids } = this.#deps
    const history = await jobs.history(LATENCY_JOB)
    if (history.open?.runId !== start.runId) return
    const runId = this.#claimed.has(start.runId) ? start.runId : ids.next()
    const { everyMs } = this.#schedule
    const nextRunAt = latencySlotOf(clock.now(), everyMs) + everyMs
    await runLatencyJob(
      this.#deps,
      { start, attempt: attemptOf(history, start, runId), runId, nextRunAt },
      this.#stopping.signal,
    )
  }
}
