/**
 * The id of the alert that people mean by what they copied: the id itself, the evidence link of a message, PagerDuty's dedup
 * key, the key of a transition or of another subject of the ledger, with or without the brackets that stood around it.
 *
 * @returns the text as it is, trimmed, when it is none of them
 */
export function alertIdIn(text: string): string {
  const bare = text.trim().replace(AROUND, '$1').replace(SENTENCE_END, '')
  const id = linked(bare) ?? keyed(bare) ?? decoded(bare)
  return id.replace(LAST_PART, '$1')
}

const AROUND = /^[<([{"'`]+(.*?)(?:\|[^|]*)?[>)\]}"'`.,;]+$/s
const SENTENCE_END = /[.,;]+$/
/** `public_url` may have a path of its own, a browser may have decoded what stands behind it. */
const LINK = /^https?:\/\/[^?#]*?\/alerts\/([^?#]+)/i
/** The name of an installation has no colon. */
const DEDUP_KEY = /^obs:[^:]*:(.+)$/s
/** The number of a transition; that nobody acknowledged an alert. An id ends with an instant. */
const LAST_PART = /^((?:breach|no_data)\/.+)\/(?:\d{4,}|unacknowledged)$/s

function linked(text: string): string | undefined {
  const path = LINK.exec(text)?.[1]
  return path === undefined ? undefined : percentDecoded(path.replace(/\/$/, ''))
}

function keyed(text: string): string | undefined {
  return DEDUP_KEY.exec(text)?.[1]
}

/** The path of a link by itself. Ids hold slashes, so a text without one that decodes to some was encoded as a whole. */
function decoded(text: string): string {
  return text.includes('/') ? text : percentDecoded(text)
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
