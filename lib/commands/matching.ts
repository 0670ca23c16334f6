import { RE2JS } from 're2js'
import { ObstreamError } from '#lib/errors.ts'
import type { Alert, Matcher } from '#lib/facts.ts'

/** Names and values that matchers see. */
export type Labels = Readonly<Record<string, string>>

/** Labels that every alert has; a label of its source with such a name is hidden by them. */
export const ALERT_LABELS = ['source', 'rule', 'severity', 'about', 'alert_id'] as const

/**
 * What the matchers of a silence see of an alert.
 *
 * @param ofSource the labels of its source
 */
export function alertLabels(
  alert: Pick<Alert, 'alertId' | 'about' | 'severity' | 'ruleId' | 'source'>,
  ofSource: Labels,
): Labels {
  const { source, ruleId, severity, about, alertId } = alert
  return { ...ofSource, source, rule: ruleId, severity, about, alert_id: alertId }
}

/**
 * Whether all matchers fit, as a function of labels. As in Alertmanager: a label that is not there is the empty string;
 * a regular expression has to match the whole value. No expression can hang the process: they are RE2's, whose time grows
 * with the length of the value only.
 *
 * Matchers that cannot be understood fit nothing: a regular expression that another version wrote and this one cannot read
 * holds back no alert. Without matchers nothing fits either.
 */
export function compileMatchers(matchers: readonly Matcher[]): (labels: Labels) => boolean {
  const tests = matchers.map(compileMatcher)
  if (tests.length === 0 || tests.includes(undefined)) return () => false
  return (labels) => tests.every((test) => test!(labels))
}

/**
 * Whether a filter fits the matchers of a silence, as `amtool silence query` asks: they are labels to it, each with its value as
 * it is written, whatever its operator. So `source=~"router.*"` finds `source="router_demo"`, and `source=router_demo` does not
 * find `source=~"router.*"`. Without matchers it fits all.
 */
export function compileFilter(filter: readonly Matcher[]): (matchers: readonly Matcher[]) => boolean {
  if (filter.length === 0) return () => true
  const fits = compileMatchers(filter)
  return (matchers) => fits(Object.fromEntries(matchers.map(({ name, value }) => [name, value])))
}

function compileMatcher({ name, op, value }: Matcher): ((labels: Labels) => boolean) | undefined {
  const valueIn = (labels: Labels): string => (Object.hasOwn(labels, name) ? labels[name]! : '')
  if (op === 'equal') return (labels) => valueIn(labels) === value
  if (op === 'not_equal') return (labels) => valueIn(labels) !== value
  const regex = readRegex(value)
  if (typeof regex === 'string') return undefined
  return op === 'regex' ? (labels) => regex.matches(valueIn(labels)) : (labels) => !regex.matches(valueIn(labels))
}

/** Why RE2 cannot read an expression; `undefined` when it can. */
export function regexFault(expression: string): string | undefined {
  const read = readRegex(expression)
  return typeof read === 'string' ? read : undefined
}

/**
 * Longest program of an expression, in RE2's instructions. Every character of a label may cost a step for each of them, and
 * `(.?){1000}` has 3,000; a list of all names that a matcher can hold stays below.
 */
const MAX_PROGRAM = 5_000

/** A compiled expression, or what is wrong with it. */
function readRegex(expression: string): RE2JS | string {
  try {
    const regex = RE2JS.compile(expression)
    const size = regex.programSize()
    return size <= MAX_PROGRAM ? regex : `its counts make ${size} steps of it; at most ${MAX_PROGRAM} are followed`
  } catch (error) {
    return (error as Error).message.replace(/^error parsing regexp: /, '')
  }
}

/**
 * Refuses what would silence alerts of which nothing is known, as Alertmanager does: each matcher fits the empty string.
 *
 * @throws OBS_MATCHER_INVALID
 */
export function refuseAllMatching(matchers: readonly Matcher[], text: string): void {
  if (matchers.length > 0 && !compileMatchers(matchers)({})) return
  throw new ObstreamError(
    'OBS_MATCHER_INVALID',
    `the matchers \`${text}\` fit every alert without such labels; add one that does not match the empty string, source=~".+" for all sources`,
  )
}
