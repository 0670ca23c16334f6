import type { ConfigFault } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'

/** OBS_CONFIG_INVALID with every fault as a value; the message lists them one a line. */
export class ConfigError extends ObstreamError {
  /** By file, line and column. */
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[]) {
    const sorted = sortFaults(faults)
    const count = sorted.length === 1 ? 'one fault' : `${sorted.length} faults`
    super(
      'OBS_CONFIG_INVALID',
      `the configuration has ${count}:\n${sorted.map((fault) => `  ${formatFault(fault)}`).join('\n')}`,
    )
    this.faults = sorted
  }
}

/** `configs/a.yaml:3:5 rules[0].threshold_ms = "5s": write a whole number, e.g. 5000` */
export function formatFault(fault: ConfigFault): string {
  const about = [fault.key, fault.value].filter((text) => text !== '').join(' = ')
  return `${fault.file}:${fault.line}:${fault.column} ${about === '' ? '' : `${about}: `}${fault.message}`
}

export function sortFaults(faults: readonly ConfigFault[]): readonly ConfigFault[] {
  return faults.toSorted((a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column)
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const LONGEST_SHOWN = 60
const SECRET_NAME = /secret|token|passw|credential|authori[sz]ation|cookie|routing_?key|api_?key|_env\b|^url$/i
/** Channels and the dead-man switch are addressed by secrets: a URL written there by mistake is one. */
const SECRET_SECTION = /^(channels|deadman)\b/
const URL_WITH_CREDENTIALS = /:\/\/[^/\s]*@/

/**
 * A value as a fault may show it: JSON, at most 60 characters. What may be a secret that was pasted in the wrong place
 * is not shown at all.
 */
export function shownValue(key: string, value: unknown): string {
  if (value === undefined) return ''
  const text =
    typeof value === 'string' && value.includes('\n')
      ? JSON.stringify(value.split('\n')[0])
      : (JSON.stringify(value) ?? '')
  return holdsSecret(key, text) ? '(not shown: it may be a secret)' : shorten(text)
}

/** A line of a file that could not be parsed. The same caution. */
export function shownLine(line: string): string {
  const text = line.trim()
  const [name = ''] = text.split(':', 1)
  return SECRET_NAME.test(name) || URL_WITH_CREDENTIALS.test(text) ? '(not shown: it may be a secret)' : shorten(text)
}

function holdsSecret(key: string, text: string): boolean {
  if (URL_WITH_CREDENTIALS.test(text)) return true
  if (SECRET_SECTION.test(key) && !/\.(kind|profile)$/.test(key)) return true
  const name = key.slice(key.lastIndexOf('.') + 1)
  return name !== 'url' && SECRET_NAME.test(name)
}

function shorten(text: string): string {
  const characters = [...text]
  return characters.length > LONGEST_SHOWN ? `${characters.slice(0, LONGEST_SHOWN - 1).join('')}…` : text
}
