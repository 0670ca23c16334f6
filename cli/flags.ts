import { InvalidArgumentError, Option } from 'commander'
import { formats } from '#lib/runtime/config/formats.ts'
import { DEFAULT_ALERT_CONFIG_PATH } from '#lib/runtime/load-config.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { parseDuration, parseInstant } from '#lib/time.ts'

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

/** Reads `15m`, `4h`, `2d`; longer than nothing. */
export function duration(text: string): Milliseconds {
  const ms = parseDuration(text)
  if (ms === undefined || ms === 0) throw new InvalidArgumentError('Write a length of time such as 15m, 4h or 2d.')
  return ms
}

/** Who gives a command, and why. Both stand in its record for good. */
export interface AuthorFlags {
  readonly by: string
  readonly reason: string
}

/** `--by` and `--reason`, which every command of an operator must have. */
export function authorFlags(): readonly Option[] {
  return [
    new Option('--by <name>', 'who says so; it stands in the record').argParser(spokenLine(200)).makeOptionMandatory(),
    new Option('--reason <text>', 'why, in words; it stands in the record')
      .argParser(spokenLine(1_000))
      .makeOptionMandatory(),
  ]
}

/** Who gives a command that is as good without a word. */
export interface OptionalAuthorFlags {
  /** Default: whoever is logged in. */
  readonly by?: string
  readonly reason: string
}

/** `--by` and `--reason` where they may be left out. @param reason what stands in the record then */
export function optionalAuthorFlags(reason: string): readonly Option[] {
  return [
    new Option('--by <name>', 'who says so (default: who is logged in)').argParser(spokenLine(200)),
    new Option('--reason <text>', 'why, in words').argParser(spokenLine(1_000)).default(reason),
  ]
}

/** Reads one line of text for people, without the space around it. */
function spokenLine(maxCharacters: number): (text: string) => string {
  return (text) => {
    const line = text.trim()
    if (line !== '' && [...line].length <= maxCharacters && !/\p{Cc}/u.test(line)) return line
    throw new InvalidArgumentError(`Write 1 to ${maxCharacters} characters on one line.`)
  }
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
