import type { TopicCodec } from '#lib/codec/avro.ts'
import { isObstreamError, ObstreamError } from '#lib/errors.ts'
import type { EventLog, Offset } from '#lib/eventlog/port.ts'
import type { JobFact, JobFinished, JobStarted } from '#lib/facts.ts'
import { topics } from '#lib/topics.ts'
import { JobHistory } from './job-history.ts'
import { jobFactKey } from './job-keys.ts'
import { readFacts } from './read-facts.ts'

const APPEND_ATTEMPTS = 3

/** `obs.job.v1` as those who run jobs see it. */
export class JobTopic {
  readonly #log: EventLog
  readonly #codec: TopicCodec<JobFact>
  readonly #histories = new Map<string, JobHistory>()
  readonly #finished: JobFinished[] = []
  #next: Offset | null = null
  #reading: Promise<void> = Promise.resolve()
  readonly #stopping = new AbortController()

  constructor(log: EventLog, codec: TopicCodec<JobFact>) {
    this.#log = log
    this.#codec = codec
  }

  /** The history of a job up to what the log holds now. It goes on growing with later calls. */
  async history(job: string): Promise<JobHistory> {
    await this.#readOn()
    return this.#historyOf(job)
  }

  /** The ends of all jobs up to what the log holds now, skipped and dry runs among them, in the order of the log. */
  async finished(): Promise<readonly JobFinished[]> {
    await this.#readOn()
    return this.#finished
  }

  /** The start of the slot that an end belongs to, as far as `history` or `finished` has read; `null`: it is not there. */
  startOf({ job, slotAt, dryRun }: JobFinished): JobStarted | null {
    return this.#historyOf(job).slot(slotAt, dryRun).start
  }

  /**
   * Appends a fact. Not knowing whether it landed, it says the same again: of two records with one key the first counts.
   *
   * @throws OBS_LOG_OUTCOME_UNKNOWN when that stays so · what `EventLog.append` throws
   */
  async append(fact: JobFact): Promise<void> {
    const record = { key: Buffer.from(jobFactKey(fact)), value: this.#codec.encode(fact) }
    for (let attempt = 1; ; attempt++)
      try {
        await this.#log.append(topics.job.name, 0, [record])
        return
      } catch (error) {
        if (!isObstreamError(error, 'OBS_LOG_OUTCOME_UNKNOWN') || attempt === APPEND_ATTEMPTS) throw error
      }
  }

  /** Ends reads that wait, as for a schema that nobody knows yet, and refuses later ones with OBS_LOG_UNAVAILABLE. */
  stop(): void {
    this.#stopping.abort(new ObstreamError('OBS_LOG_UNAVAILABLE', 'the jobs are read no more: their reader stops'))
  }

  /** One reader at a time: two would fold the same records twice, or in another order. */
  #readOn(): Promise<void> {
    this.#reading = this.#reading.catch(() => {}).then(() => this.#read())
    return this.#reading
  }

  async #read(): Promise<void> {
    const { earliest, end } = (await this.#log.offsets(topics.job.name))[0]!
    const stretch = { partition: 0, from: Math.max(this.#next ?? earliest, earliest), to: end }
    for await (const { key, value, offset } of readFacts(this.#log, this.#codec, stretch, this.#stopping.signal)) {
      const isNew = this.#historyOf(value.job).take(key, value)
      if (isNew && value.type === 'finished') this.#finished.push(value)
      this.#next = offset + 1
    }
    this.#next = Math.max(end, stretch.from)
  }

  #historyOf(job: string): JobHistory {
    const history = this.#histories.get(job) ?? new JobHistory()
    this.#histories.set(job, history)
    return history
  }
}
