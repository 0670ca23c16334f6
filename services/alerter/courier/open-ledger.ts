import type { TopicCodec } from '#lib/codec/avro.ts'
import type { DeliveryFact } from '#lib/delivery/facts.ts'
import { Ledger } from '#lib/delivery/ledger.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Instant } from '#lib/time.ts'
import { type EpisodeBook, oldestAt } from './episode-book.ts'
import { isOfHouse } from './house-subjects.ts'
import { LONGEST_DELIVERY_MS } from './retry.ts'

export interface OpenedLedger {
  readonly partition: number
  readonly book: EpisodeBook
  readonly now: Instant
  /** Ends the reading. */
  readonly signal?: AbortSignal
}

/** What was said about the alerts of a partition: of those in its book everything, and whatever may still be sent. */
export function openLedger(
  log: EventLog,
  codec: TopicCodec<DeliveryFact>,
  { partition, book, now, signal }: OpenedLedger,
): Promise<Ledger> {
  const sinceAt = Math.min(oldestAt(book) ?? Number.POSITIVE_INFINITY, now - LONGEST_DELIVERY_MS)
  return Ledger.open(log, codec, {
    partition,
    sinceAt,
    isAbout: (subject) => !isOfHouse(subject),
    keepsBodies: false,
    ...(signal && { signal }),
  })
}
