import type { ChannelConfig } from '#lib/config.ts'
import { compose } from '#services/alerter/messages/compose.ts'
import { type Notice, textOf } from '#services/alerter/messages/notice.ts'
import { type Example, exampleReader, examples } from './example-notices.ts'

const CHANNELS: Readonly<Record<ChannelConfig['kind'], string>> = {
  webhook: 'Generic webhook',
  pagerduty: 'PagerDuty',
  slack: 'Slack',
}

/** One of each message on each channel, as the courier composes them; for `docs/notifications.md`. */
export function messageExamples(): string {
  return `\n${examples.map(exampleSection).join('\n')}`
}

function exampleSection({ title, what, notice }: Example): string {
  const english = textOf(notice('en'), exampleReader)
  const japanese = textOf(notice('ja'), { ...exampleReader, locale: 'ja' })
  const bodies = Object.entries(CHANNELS).map(([kind, name]) =>
    bodyText(kind as ChannelConfig['kind'], name, notice('en')),
  )
  return `### ${title}\n\n${what}\n\n\`\`\`text\n${english}\n${japanese}\n\`\`\`\n\n${bodies.join('\n')}`
}

function bodyText(kind: ChannelConfig['kind'], name: string, notice: Notice): string {
  const composed = compose({ kind }, notice, exampleReader)
  if (!composed) return `${name}: nothing is sent; it has no such message.\n`
  const body = readable(JSON.parse(composed.body), '')
  return `<details><summary>${name}</summary>\n\n\`\`\`json\n${body}\n\`\`\`\n\n</details>\n`
}

const LINE_LENGTH = 200

/** JSON with a line for each member, but for what is short. */
function readable(value: unknown, indent: string): string {
  const line = JSON.stringify(value)
  if (typeof value !== 'object' || value === null || line.length <= LINE_LENGTH) return line
  const inner = `${indent}  `
  const lines = Array.isArray(value)
    ? value.map((item) => `${inner}${readable(item, inner)}`)
    : Object.entries(value).map(([name, member]) => `${inner}${JSON.stringify(name)}: ${readable(member, inner)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`
}
