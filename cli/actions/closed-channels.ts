import type { Standing } from '#lib/commands/standing.ts'
import { readClosedChannels } from '#lib/delivery/closed-channels.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { isOfHouse } from '#services/alerter/courier/house-subjects.ts'

/**
 * The channels of the configuration that couriers tell nothing any more, by name, each since when. What the house told a channel
 * closes it for nobody.
 */
export function closedChannels(env: Environment, standing: Standing): Promise<ReadonlyMap<string, Instant>> {
  return readClosedChannels(env.log, codecOf(env, topics.delivery), {
    channels: env.config.channels,
    standing,
    isAbout: (subject) => !isOfHouse(subject),
  })
}

/** That a channel is closed, and what to do. */
export function closedWords(channel: string, since: Instant): string {
  return `closed since ${formatInstant(since)}: it answered 410; \`obstream channels test ${channel}\` puts it back`
}
