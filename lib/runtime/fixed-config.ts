import { isDeepStrictEqual } from 'node:util'
import type { Config } from '#lib/config.ts'

/** What a running process cannot change, with the keys of the configuration that say it. */
const FIXED = {
  log: 'log',
  kafka: 'kafka',
  registry: 'registry',
  partitions: 'partitions',
  bind: 'page.bind',
} as const satisfies Partial<Record<keyof Config, string>>

/** A new configuration as far as a running process can follow it. */
export interface FollowedConfig {
  readonly config: Config
  /** Keys whose new values have to wait for the next start. */
  readonly kept: readonly string[]
}

/** Takes from the old configuration what cannot change before the next start. */
export function keepFixed(old: Config, next: Config): FollowedConfig {
  const { log, kafka, registry, partitions, bind } = old
  const kept = Object.entries(FIXED).filter(([name]) => !isEqual(old, next, name as keyof typeof FIXED))
  return { config: { ...next, log, kafka, registry, partitions, bind }, kept: kept.map(([, key]) => key) }
}

function isEqual(old: Config, next: Config, name: keyof typeof FIXED): boolean {
  return isDeepStrictEqual(old[name], next[name])
}
