import { formatMatchers } from '#lib/commands/matchers.ts'
import { ALERT_LABELS, compileMatchers } from '#lib/commands/matching.ts'
import type { SourceConfig } from '#lib/config.ts'
import type { Matcher } from '#lib/facts.ts'
import { probablyMeant } from '../nearest.ts'

/** Labels whose values are known, whatever is configured. */
const VALUES: ReadonlyMap<string, readonly string[]> = new Map([
  ['severity', ['warning', 'critical']],
  ['about', ['breach', 'no_data']],
])

/** Names that matchers can ask for: those of every alert, and the labels of the configured sources. */
export function labelNames(sources: readonly SourceConfig[]): readonly string[] {
  return [...new Set([...ALERT_LABELS, ...sources.flatMap(({ labels }) => Object.keys(labels))])]
}

/** What of matchers looks like a slip, in words; a silence of it is taken all the same, since labels come and go. */
export function doubtsAbout(matchers: readonly Matcher[], sources: readonly SourceConfig[]): readonly string[] {
  const names = labelNames(sources)
  return matchers.flatMap((matcher) => doubtAbout(matcher, names) ?? [])
}

function doubtAbout(matcher: Matcher, names: readonly string[]): string | undefined {
  const { name, value } = matcher
  if (!names.includes(name)) return `nothing has the label ${name}${orMeant(name, names)}`
  const values = VALUES.get(name)
  if (!values || values.some((known) => asksFor(matcher, known))) return undefined
  const isNegated = matcher.op === 'not_equal' || matcher.op === 'not_regex'
  const fits = isNegated ? 'every alert' : 'no alert'
  return `${formatMatchers([matcher])} fits ${fits}, ${name} is ${values.join(' or ')}${orMeant(value, values)}`
}

/** Whether a value is one of those that a matcher names, to ask for or to leave out. */
function asksFor({ name, op, value }: Matcher, known: string): boolean {
  const asked = op === 'equal' || op === 'not_equal' ? 'equal' : 'regex'
  return compileMatchers([{ name, op: asked, value }])({ [name]: known })
}

function orMeant(typed: string, known: readonly string[]): string {
  const meant = probablyMeant(typed, known)
  return meant === undefined ? '' : `; did you mean ${meant}?`
}
