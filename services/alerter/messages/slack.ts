import { canonicalJson } from '#lib/codec/canonical-json.ts'
import type { Evidence } from '#lib/facts.ts'
import type { Composed } from './compose.ts'
import { cutText } from './cut.ts'
import { type AlertNotice, evidenceUrl, type MessageContext, type Notice, textOf } from './notice.ts'
import { typeOf } from './webhook.ts'

/** Of an incoming webhook: a section's text 3,000 characters, the whole below 12,000, 50 blocks. */
const MAX_SECTION = 3_000
const MAX_TEXT = 3_000
const SHOWN_EVIDENCE = 5

/**
 * A message for a Slack incoming webhook. Slack drops no copies, so the text ends with the alert's id, by which a person sees
 * that he has read it already.
 */
export function composeSlack(notice: Notice, context: MessageContext): Composed {
  const text = cutText(escapeText(textOf(notice, context)), MAX_TEXT)
  const blocks = notice.kind === 'alert' ? alertBlocks(notice, context) : [section(text.text)]
  const shown = notice.kind === 'alert' ? cutText(`${text.text} [${notice.alert.alertId}]`, MAX_TEXT) : text
  const isCut = text.isCut || shown.isCut
  return {
    type: typeOf(notice),
    body: canonicalJson({ text: shown.text, blocks }),
    cut: isCut ? 'the text was cut: Slack takes no more' : null,
  }
}

function alertBlocks(notice: AlertNotice, context: MessageContext): readonly object[] {
  const { alert } = notice
  const url = evidenceUrl(alert.alertId, context)
  const link = url === null ? '' : ` · <${escapeText(url)}|evidence>`
  return [
    section(escapeText(textOf({ ...notice }, { ...context, publicUrl: null }))),
    ...(alert.evidence.length === 0 ? [] : [section(evidenceText(alert.evidence))]),
    {
      type: 'context',
      elements: [
        { type: 'mrkdwn', text: cutText(`${escapeText(alert.alertId)} · ${context.env}${link}`, MAX_SECTION).text },
      ],
    },
  ]
}

function evidenceText(evidence: readonly Evidence[]): string {
  const shown = evidence.slice(-SHOWN_EVIDENCE)
  const lines = shown.map(({ key, p95Ms, count, verdict }) => `${key}  p95 ${p95Ms ?? '–'} ms  n ${count}  ${verdict}`)
  const rest = evidence.length - shown.length
  return `\`\`\`${escapeText([...(rest > 0 ? [`… ${rest} before`] : []), ...lines].join('\n'))}\`\`\``
}

const section = (text: string): object => ({
  type: 'section',
  text: { type: 'mrkdwn', text: cutText(text, MAX_SECTION).text },
})

/** The three characters that mean something to Slack. */
function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
