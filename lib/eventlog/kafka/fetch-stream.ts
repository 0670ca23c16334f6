import type { Milliseconds } from '#lib/time.ts'
import { holdsFrom } from '../batch-range.ts'
import type { Offset } from '../port.ts'
import type { RecordBatch } from '../record-batch.ts'
import { fetchedBatches } from './fetched-batches.ts'
import type { FetchedPartition } from './requests.ts'

/** What to read. */
export interface FetchRange {
  readonly topic: string
  readonly partition: number
  readonly from: Offset
  /** Ends here; default: never. */
  readonly to?: Offset
}

/** One partition that somebody reads: where the next fetch goes on, and what has come and was not taken yet. */
export class FetchStream {
  readonly topic: string
  readonly partition: number
  readonly #from: Offset
  readonly #to: Offset
  readonly #arrived: RecordBatch[] = []
  #arrivedBytes = 0
  #nextOffset: Offset
  #failure: { readonly error: unknown } | null = null
  #wake: (() => void) | null = null
  /** The broker to fetch from; `null` while it is looked for. */
  leader: number | null = null
  /** Since when nothing but failures has come, by the monotonic clock. */
  troubleSinceMs: Milliseconds | null = null
  /** Since when leaders say that the log ends before the place that is asked for; `null`: they do not. */
  beyondEndSinceMs: Milliseconds | null = null

  constructor({ topic, partition, from, to }: FetchRange) {
    this.topic = topic
    this.partition = partition
    this.#from = from
    this.#to = to ?? Number.MAX_SAFE_INTEGER
    this.#nextOffset = from
  }

  get place(): string {
    return `${this.topic}/${this.partition}`
  }

  get nextOffset(): Offset {
    return this.#nextOffset
  }

  /** What has come and was not taken yet. */
  get heldBytes(): number {
    return this.#arrivedBytes
  }

  /** Whether a fetch should ask for more. @param lookaheadBytes how much may wait for whoever reads */
  isHungry(lookaheadBytes: number): boolean {
    return this.#failure === null && !this.#isWhole && (this.#arrivedBytes === 0 || this.#arrivedBytes < lookaheadBytes)
  }

  /**
   * Takes what a fetch brought.
   *
   * @param wasWaitedFor whether the broker waited for records as long as it may
   * @throws OBS_LOG_CORRUPT
   */
  take({ records, highWatermark }: FetchedPartition, wasWaitedFor: boolean): void {
    this.troubleSinceMs = null
    this.beyondEndSinceMs = null
    for (const batch of fetchedBatches(records, this.place)) {
      this.#nextOffset = Math.max(this.#nextOffset, Math.min(batch.lastOffset + 1, this.#to))
      if (batch.baseOffset >= this.#to || !holdsFrom(batch, this.#from)) continue
      this.#arrived.push(batch)
      this.#arrivedBytes += batch.bytes.length
    }
    // Nothing is there up to an end that the log has passed: compaction has emptied it.
    if (records.length === 0 && wasWaitedFor && highWatermark >= this.#to) this.#nextOffset = this.#to
    this.#wake?.()
  }

  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#wake?.()
  }

  /** The next batch that holds records of the range; `undefined` at its end and after `signal` aborted. @throws what failed */
  async next(signal: AbortSignal): Promise<RecordBatch | undefined> {
    for (;;) {
      if (signal.aborted) return undefined
      const batch = this.#arrived.shift()
      if (batch) {
        this.#arrivedBytes -= batch.bytes.length
        return batch
      }
      if (this.#failure) throw this.#failure.error
      if (this.#isWhole) return undefined
      await this.#somethingNew(signal)
    }
  }

  get #isWhole(): boolean {
    return this.#nextOffset >= this.#to
  }

  #somethingNew(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wake = null
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#wake = wake
      signal.addEventListener('abort', wake, { once: true })
    })
  }
}
