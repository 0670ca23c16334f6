import type { Evidence } from '#lib/facts.ts'
import type { Composed } from './compose.ts'
import { type CutText, cutText, oneLine } from './cut.ts'
import { messageJson } from './message-json.ts'
import { type AlertNotice, evidenceUrl, type MessageContext, type Notice, textOf } from './notice.ts'
import { cutEscaped, escapeText } from './slack-text.ts'
import { typeOf } from './webhook.ts'

/** Of an incoming webhook: any text 1 to 3,000 characters, the whole below 12,000, and 50 blocks. */
const MAX_TEXT = 3_000
const MAX_WHOLE = 11_999
/** When texts of the usual length make too large a whole: four of these do not, even if every character is escaped in JSON. */
const SHORT_TEXT = 1_200
const MAX_ID = 400
const SHOWN_EVIDENCE = 5
const CUT = 'the text was cut: Slack takes no more'

/**
 * A message for a Slack incoming webhook. Slack drops no copies, so the text ends with the alert's id, by which a person sees
 * that he has read it already.
 */
export function composeSlack(notice: Notice, context: MessageContext): Composed {
  const usual = composeWithin(MAX_TEXT, notice, context)
  return usual.body.length <= MAX_WHOLE ? usual : composeWithin(SHORT_TEXT, notice, context)
}

/** @param most characters of each text */
function composeWithin(most: number, notice: Notice, context: MessageContext): Composed {
  const text = shownText(most, notice, context)
  const parts = notice.kind === 'alert' ? alertParts(most, notice, context) : { sections: [text], footer: [] }
  const isCut = [text, ...parts.sections, ...parts.footer].some((part) => part.isCut)
  const footer = [...parts.footer.map((part) => part.text), ...(isCut ? [CUT] : [])]
  const blocks = [
    ...parts.sections.map((part) => ({ type: 'section', text: mrkdwn(part.text) })),
    ...(footer.length === 0 ? [] : [{ type: 'context', elements: footer.map(mrkdwn) }]),
  ]
  return { type: typeOf(notice), body: messageJson({ text: text.text, blocks }), cut: isCut ? CUT : null }
}

/** What notifications show, and the place to look a copy up by. */
function shownText(most: number, notice: Notice, context: MessageContext): CutText {
  const text = textOf(notice, context)
  if (notice.kind !== 'alert') return cutEscaped(text, most)
  const id = cutEscaped(oneLine(notice.alert.alertId), MAX_ID)
  const ending = ` [${id.text}]`
  const start = cutEscaped(text, most - ending.length)
  return { text: `${start.text}${ending}`, isCut: start.isCut || id.isCut }
}

interface Parts {
  readonly sections: readonly CutText[]
  readonly footer: readonly CutText[]
}

function alertParts(most: number, notice: AlertNotice, context: MessageContext): Parts {
  const { evidence } = notice.alert
  const line = cutEscaped(textOf(notice, { ...context, publicUrl: null }), most)
  return {
    sections: [line, ...(evidence.length === 0 ? [] : [evidenceText(most, evidence)])],
    footer: [footerText(most, notice, context)],
  }
}

const FENCE = '```'

/** A table, so nothing in it may end the fence around it. */
function evidenceText(most: number, evidence: readonly Evidence[]): CutText {
  const shown = evidence.slice(-SHOWN_EVIDENCE)
  const lines = shown.map(rowOf)
  const rest = evidence.length - shown.length
  const table = [...(rest > 0 ? [`… ${rest} before`] : []), ...lines].join('\n').replaceAll('`', "'")
  const { text, isCut } = cutEscaped(table, most - 2 * FENCE.length)
  return { text: `${FENCE}${text}${FENCE}`, isCut }
}

function rowOf({ key, p95Ms, count, errorCount, verdict }: Evidence): string {
  const errors = errorCount > 0 ? [`errors ${errorCount}`] : []
  return [oneLine(key), `p95 ${p95Ms ?? '–'} ms`, `n ${count}`, ...errors, verdict].join('  ')
}

/** `<id> · <env> · evidence`, the last a link; a link that is too long is left out, since half of one leads nowhere. */
function footerText(most: number, { alert }: AlertNotice, context: MessageContext): CutText {
  const id = cutText(oneLine(alert.alertId), MAX_ID)
  const words = cutEscaped(`${id.text} · ${oneLine(context.env)}`, most)
  const url = evidenceUrl(alert.alertId, context)
  const link = url === null ? '' : ` · <${escapeText(url)}|evidence>`
  const fits = words.text.length + link.length <= most
  return { text: fits ? `${words.text}${link}` : words.text, isCut: id.isCut || words.isCut || !fits }
}

/** `verbatim`: Slack makes no links and mentions of its own out of what it takes for them. */
const mrkdwn = (text: string): object => ({ type: 'mrkdwn', text, verbatim: true })
