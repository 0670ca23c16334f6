import type { TopicCodec } from '#lib/codec/avro.ts'
import type { Standing } from '#lib/commands/standing.ts'
import type { ChannelConfig } from '#lib/config.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { DeliveryFact } from './facts.ts'
import { Ledger } from './ledger.ts'

type ConfiguredChannel = Pick<ChannelConfig, 'name' | 'configSha256'>

/**
 * When a channel, with just this configuration, said that it is gone for good: nothing is sent there any more. A later test
 * of it that was accepted takes that back.
 *
 * @returns `null`: it is in use
 */
export function goneSince(
  { name, configSha256 }: ConfiguredChannel,
  ledger: Ledger,
  standing: Standing,
): Instant | null {
  const at = ledger.goneAt(name, configSha256)
  const test = standing.acceptedTestOf(name, configSha256)
  return at === null || (test !== null && test.at > at) ? null : at
}

/** What closed channels are looked for in. */
export interface ClosedChannelsPlace {
  readonly channels: readonly ConfiguredChannel[]
  readonly standing: Standing
  /** As for `Ledger.open`. */
  isAbout(subject: string): boolean
}

/**
 * The channels that are closed, by name, each since when. Each courier goes by its own partition: a channel is closed as soon
 * as it is in one of them.
 */
export async function readClosedChannels(
  log: EventLog,
  codec: TopicCodec<DeliveryFact>,
  { channels, standing, isAbout }: ClosedChannelsPlace,
): Promise<ReadonlyMap<string, Instant>> {
  const closed = new Map<string, Instant>()
  if (channels.length === 0) return closed
  for (const { partition } of await log.offsets(topics.delivery.name)) {
    const ledger = await Ledger.open(log, codec, { partition, sinceAt: 0, isAbout })
    for (const channel of channels) {
      const at = goneSince(channel, ledger, standing)
      if (at !== null) closed.set(channel.name, Math.min(at, closed.get(channel.name) ?? at))
    }
  }
  return closed
}
