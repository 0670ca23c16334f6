/** A text that fits, and whether it was cut. */
export interface CutText {
  readonly text: string
  readonly isCut: boolean
}

const MARK = '…'

/** At most `most` (1 or more) UTF-16 units, a mark at the end of what was cut; a surrogate pair is never parted. */
export function cutText(text: string, most: number): CutText {
  if (text.length <= most) return { text, isCut: false }
  let end = most - MARK.length
  if (isLowSurrogate(text, end)) end = Math.max(end - 1, 0)
  return { text: `${text.slice(0, end)}${MARK}`, isCut: true }
}

/** Line breaks and other control characters become spaces, half a surrogate pair U+FFFD. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').toWellFormed()
}

function isLowSurrogate(text: string, at: number): boolean {
  const unit = text.charCodeAt(at)
  return unit >= 0xdc00 && unit <= 0xdfff
}
