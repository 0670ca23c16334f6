import type { JsonValue } from '#lib/codec/canonical-json.ts'
import { parseJson } from '#lib/codec/parse-json.ts'
import { ObstreamError } from '#lib/errors.ts'

/** A name of HTTP (RFC 9110: token), a colon, and what it says, without the space around it. */
const HEADER = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/
const REQUEST_LINE = /^([A-Z]+ \S+ HTTP\/\d(\.\d)?|HTTP\/\d(\.\d)? \d{3}( .*)?)$/

/**
 * Reads the headers of a message from a file that somebody has kept: lines `name: value` as they came over the wire, with
 * `\n` or `\r\n`, after the request line or without it, up to an empty line; or a JSON object of texts, numbers, or lists of
 * them. What comes twice is joined by `, `, as HTTP has it.
 *
 * @param name of the text, for messages
 * @returns names in lower case
 * @throws OBS_INPUT_INVALID with the line
 */
export function parseHeaders(text: string, name: string): Readonly<Record<string, string>> {
  const headers = new Map<string, string>()
  for (const [header, value] of text.trimStart().startsWith('{') ? fromJson(text, name) : fromLines(text, name)) {
    const lower = header.toLowerCase()
    const before = headers.get(lower)
    headers.set(lower, before === undefined ? value : `${before}, ${value}`)
  }
  return Object.fromEntries(headers)
}

function fromLines(text: string, name: string): readonly (readonly [string, string])[] {
  const lines = text.split(/\r?\n/)
  const from = REQUEST_LINE.test(lines[0]!) ? 1 : 0
  const end = lines.indexOf('', from)
  return lines.slice(from, end === -1 ? undefined : end).map((line, index) => {
    const match = HEADER.exec(line)
    if (match) return [match[1]!, match[2]!] as const
    throw new ObstreamError(
      'OBS_INPUT_INVALID',
      `${name}, line ${from + index + 1}, column 1: no header; write \`name: value\`, or the whole as a JSON object`,
    )
  })
}

function fromJson(text: string, name: string): readonly (readonly [string, string])[] {
  return Object.entries(parseJson(text, name) as Readonly<Record<string, JsonValue>>).flatMap(([header, value]) =>
    (Array.isArray(value) ? value : [value]).map((each) => {
      if (typeof each === 'string' || typeof each === 'number') return [header, String(each)] as const
      throw new ObstreamError(
        'OBS_INPUT_INVALID',
        `${name}: ${JSON.stringify(header)} is no header; write a text, or a list of texts`,
      )
    }),
  )
}
