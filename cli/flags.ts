import { InvalidArgumentError, Option } from 'commander'
import { formats } from '#lib/runtime/config/formats.ts'
import { DEFAULT_ALERT_CONFIG_PATH } from '#lib/runtime/load-config.ts'
import type { Instant } from '#lib/time.ts'
import { parseInstant } from '#lib/time.ts'

/** Reads a whole number within bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`Write a whole number from ${min} to ${max}.`)
  }
}

/** Reads `2026-06-27T23:00:00Z`. */
export function instant(text: string): Instant {
  const at = parseInstant(text)
  if (at === undefined) throw new InvalidArgumentError('Write an instant such as 2026-06-27T23:00:00Z.')
  return at
}

/** Reads a path that stays inside of the data directory. */
export function pathInside(text: string): string {
  if (formats['path-inside']!.accepts(text)) return text
  throw new InvalidArgumentError('Write a relative path that stays inside of the data directory.')
}

/** `--alert-config`, the same for every command that reads the configuration. */
export function alertConfigFlag(): Option {
  return new Option('--alert-config <file>', 'rules and delivery, from the data directory').default(
    DEFAULT_ALERT_CONFIG_PATH,
  )
}
