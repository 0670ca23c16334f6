import { type CutText, cutText } from './cut.ts'

/** The three characters that mean something to Slack: with them escaped, no text can link, mention or call a channel. */
export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Escaped, then cut to `most` UTF-16 units; an escape is never parted. */
export function cutEscaped(text: string, most: number): CutText {
  const { text: kept, isCut } = cutText(escapeText(text), most)
  return { text: isCut ? kept.replace(/&[a-z]*…$/, '…') : kept, isCut }
}
