import type { ChannelConfig } from '#lib/config.ts'
import { STANDARD_PREFIX } from './signature.ts'

const HIDDEN = '[hidden]'
/** A shorter part of a URL is no secret, and would be found everywhere. */
const SHORTEST_PART = 8
/** What was escaped more often is not undone. */
const ROUNDS = 4

/**
 * Makes what takes a receiver's words to where they may be recorded. Receivers repeat what they have not understood: a path, a
 * key, the token in it.
 *
 * Secret are the URL, its path with its first slash and without, each segment and each query value of 8 characters or more, its user and password, the key or
 * signing secret, the one before it, and what a `whsec_` secret stands for. PagerDuty's URL is known to everybody. Where one
 * stands as it is, `[hidden]` stands instead; where one stands escaped (JSON, percent, HTML, also one in another), all of the
 * text is `[hidden]`: better to know less than to record a secret.
 */
export function maskOf({ kind, url, secret, previousSecret }: ChannelConfig): (text: string) => string {
  const own = [secret, previousSecret].filter((one) => one !== null).flatMap(formsOfSecret)
  const asWritten = [...own, ...(kind === 'pagerduty' || url === null ? [] : partsOf(url))].filter((one) => one !== '')
  const undone = asWritten.map((one) => undo(one).at(-1)!).filter((one) => one.length >= SHORTEST_PART)
  // The longest first: a URL is hidden as one before its parts are.
  const secrets = [...new Set([...asWritten, ...undone])].sort((a, b) => b.length - a.length)
  const paths = secrets.filter((one) => one.includes('/'))
  return (text) => {
    // A path that stands there escaped would lose but its long segments.
    if (undo(text).some((form) => paths.some((one) => form.includes(one) && !text.includes(one)))) return HIDDEN
    const shown = secrets.reduce((rest, one) => rest.replaceAll(one, HIDDEN), text)
    return undo(shown).some((form) => secrets.some((one) => form.includes(one))) ? HIDDEN : shown
  }
}

function partsOf(text: string): readonly string[] {
  const url = URL.parse(text)
  if (url === null) return [text]
  const { pathname, search, username, password, searchParams } = url
  const raw = search.slice(1).split(/[&=]/)
  const relative = pathname.slice(1)
  const parts = [
    pathname + search,
    pathname,
    relative + search,
    relative,
    ...pathname.split('/'),
    ...raw,
    ...searchParams.values(),
  ]
  return [text, url.href, username, password, ...parts.filter((part) => part.length >= SHORTEST_PART)]
}

function formsOfSecret(secret: string): readonly string[] {
  if (!secret.startsWith(STANDARD_PREFIX)) return [secret]
  const written = secret.slice(STANDARD_PREFIX.length)
  const key = Buffer.from(written, 'base64')
  const forms = [written, key.toString('base64url'), key.toString('hex'), key.toString()]
  return [secret, ...forms.filter((form) => form.length >= SHORTEST_PART)]
}

/** A text with its escapes undone, once, twice and so on, until there are none; itself when it has none. */
function undo(text: string): readonly string[] {
  const forms = [text]
  for (let round = 0; round < ROUNDS; round++) {
    const next = undoOnce(forms.at(-1)!)
    if (next === forms.at(-1)) break
    forms.push(next)
  }
  return forms
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", sol: '/' }

function undoOnce(text: string): string {
  return text
    .replace(/\\(?:u([0-9a-f]{4})|x([0-9a-f]{2})|([\\/"']))/gi, (_, long, short, itself) =>
      itself === undefined ? ofCode(Number.parseInt(long ?? short, 16)) : itself,
    )
    .replace(/&#x([0-9a-f]{1,6});/gi, (_, hex) => ofCode(Number.parseInt(hex, 16)))
    .replace(/&#(\d{1,7});/g, (_, decimal) => ofCode(Number(decimal)))
    .replace(/&(amp|lt|gt|quot|apos|sol);/gi, (_, name: string) => NAMED[name.toLowerCase()]!)
    .replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => Buffer.from(bytes.replaceAll('%', ''), 'hex').toString())
}

function ofCode(code: number): string {
  return code > 0x10ffff ? '\uFFFD' : String.fromCodePoint(code)
}
