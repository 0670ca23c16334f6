import type { Locale } from '../messages/notice-line.ts'

/** What a message says beside its transition. */
export type Note =
  /** It is the last opening, or the end, that is told before it calms down. */
  | { readonly kind: 'flapping'; readonly changes: number; readonly withinWords: string }
  | { readonly kind: 'unacknowledged'; readonly withinWords: string }
  /** Told in the place of a channel, which failed so often or is gone. */
  | { readonly kind: 'failed'; readonly channel: string; readonly attempts: number }
  | { readonly kind: 'gone'; readonly channel: string }

/** A note in words, without a full stop. */
export function noteWords(note: Note, locale: Locale): string {
  return locale === 'ja' ? japaneseNote(note) : englishNote(note)
}

function englishNote(note: Note): string {
  switch (note.kind) {
    case 'flapping':
      return `${changesWords(note)}, and further openings are held back`
    case 'unacknowledged':
      return `nobody acknowledged it within ${note.withinWords}`
    case 'failed':
      return `${note.channel} failed ${note.attempts === 1 ? 'once' : `${note.attempts} times`}`
    case 'gone':
      return `${note.channel} is gone`
  }
}

function japaneseNote(note: Note): string {
  switch (note.kind) {
    case 'flapping':
      return `${note.withinWords}以内に発報と復旧を${note.changes}回繰り返したため、以後の発報通知を保留します`
    case 'unacknowledged':
      return `${note.withinWords}以内に誰も確認していません`
    case 'failed':
      return `チャネル ${note.channel} への送信が${note.attempts}回失敗しました`
    case 'gone':
      return `チャネル ${note.channel} の宛先が廃止されています`
  }
}

export function changesWords({
  changes,
  withinWords,
}: {
  readonly changes: number
  readonly withinWords: string
}): string {
  return `it opened and ended ${changes} times within ${withinWords}`
}
