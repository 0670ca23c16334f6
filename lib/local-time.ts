import moment from 'moment-timezone'
import type { Instant } from './time.ts'

/**
 * A time as a person in a time zone reads it. By the rules that come with the package, so that a message is the same on every
 * machine; see `docs/decisions/0005-time-zones-come-with-the-plan.md`.
 */
export interface LocalTime {
  /** `05:00`, with seconds where there are some. */
  readonly clock: string
  /** `06-28`. */
  readonly day: string
  /** `JST`, or `+0330` where the zone has no name for itself. */
  readonly zone: string
}

/** @param timeZone IANA name that the configuration has accepted */
export function localTime(at: Instant, timeZone: string): LocalTime {
  const local = moment.tz(at, timeZone)
  const zone = local.zoneAbbr()
  return {
    clock: local.format(local.seconds() === 0 ? 'HH:mm' : 'HH:mm:ss'),
    day: local.format('MM-DD'),
    zone: /^[A-Z]+$/.test(zone) ? zone : local.format('ZZ'),
  }
}
