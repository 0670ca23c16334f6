import type { TopicCodec } from '#lib/codec/avro.ts'
import type { EventLog, Offset, PartitionOffsets } from '#lib/eventlog/port.ts'
import type { SampleFact, Tick } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import { readFacts } from './read-facts.ts'

/**
 * The last offset in a partition of the samples that still has a tick before an instant at or behind it: a reader that
 * begins there meets every sample that the first tick at or after the instant may be about. Ticks are taken to be in order.
 *
 * @returns the earliest offset when all ticks that are kept are later
 */
export async function offsetBeforeTick(
  log: EventLog,
  codec: TopicCodec<SampleFact>,
  { partition, earliest, end }: PartitionOffsets,
  at: Instant,
): Promise<Offset> {
  let [early, late] = [earliest, end]
  while (late - early > 1) {
    const middle = Math.floor((early + late) / 2)
    const tick = await firstTick(log, codec, { partition, from: middle, to: late })
    if (tick && tick.at < at) early = middle
    else late = middle
  }
  return early
}

/** The first tick of a stretch; `undefined` when it holds none. */
export async function firstTick(
  log: EventLog,
  codec: TopicCodec<SampleFact>,
  stretch: { readonly partition: number; readonly from: Offset; readonly to: Offset },
): Promise<Tick | undefined> {
  for await (const { value } of readFacts(log, codec, stretch)) if (value.type === 'tick') return value
  return undefined
}
