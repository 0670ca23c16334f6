import type { TopicCodec } from '#lib/codec/avro.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { JobFact, JobFinished, JobStarted } from '#lib/facts.ts'
import { OwnerlessPartition } from '#lib/ownerless-partition.ts'
import { JobHistory } from './job-history.ts'
import { jobFactKey } from './job-keys.ts'
import type { ReadFact } from './read-facts.ts'

/** `obs.job.v1` as those who run jobs see it. */
export class JobTopic {
  readonly #facts: OwnerlessPartition<JobFact>
  readonly #codec: TopicCodec<JobFact>
  readonly #histories = new Map<string, JobHistory>()
  readonly #finished: JobFinished[] = []

  constructor(log: EventLog, codec: TopicCodec<JobFact>) {
    this.#codec = codec
    this.#facts = new OwnerlessPartition(log, { codec, partition: 0, take: (fact) => this.#take(fact) })
  }

  /** The history of a job up to what the log holds now. It goes on growing with later calls. */
  async history(job: string): Promise<JobHistory> {
    await this.#facts.readOn()
    return this.#historyOf(job)
  }

  /** The ends of all jobs up to what the log holds now, skipped and dry runs among them, in the order of the log. */
  async finished(): Promise<readonly JobFinished[]> {
    await this.#facts.readOn()
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
    await this.#facts.append([{ key: Buffer.from(jobFactKey(fact)), value: this.#codec.encode(fact) }])
  }

  /** Ends reads that wait, as for a schema that nobody knows yet, and refuses later ones with OBS_LOG_UNAVAILABLE. */
  stop(): void {
    this.#facts.stop('the jobs are')
  }

  #take({ key, value }: ReadFact<JobFact>): void {
    const isNew = this.#historyOf(value.job).take(key, value)
    if (isNew && value.type === 'finished') this.#finished.push(value)
  }

  #historyOf(job: string): JobHistory {
    const history = this.#histories.get(job) ?? new JobHistory()
    this.#histories.set(job, history)
    return history
  }
}
