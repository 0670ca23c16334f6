import { canonicalJson } from '#lib/codec/canonical-json.ts'

/**
 * RFC 8785 of a message. Half a surrogate pair, which has no UTF-8, becomes U+FFFD: what a person is to be told is told,
 * whatever stands in a label.
 *
 * @throws TypeError as `canonicalJson`, for all else that has no exact JSON
 */
export function messageJson(message: object): string {
  return canonicalJson(wellFormed(message))
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.toWellFormed(), wellFormed(member)]))
}
