import { expect, test } from '@jest/globals'
import { type Note, noteWords } from '#services/alerter/courier/note.ts'

const notes: readonly (readonly [Note, string, string])[] = [
  [
    { kind: 'flapping', changes: 4, withinWords: '12h' },
    'it opened and ended 4 times within 12h, and further openings are held back',
    '12h以内に発報と復旧を4回繰り返したため、以後の発報通知を保留します',
  ],
  [
    { kind: 'unacknowledged', withinWords: '30m' },
    'nobody acknowledged it within 30m',
    '30m以内に誰も確認していません',
  ],
  [{ kind: 'failed', channel: 'ops', attempts: 1 }, 'ops failed once', 'チャネル ops への送信が1回失敗しました'],
  [{ kind: 'failed', channel: 'ops', attempts: 2 }, 'ops failed 2 times', 'チャネル ops への送信が2回失敗しました'],
  [{ kind: 'gone', channel: 'ops' }, 'ops is gone', 'チャネル ops の宛先が廃止されています'],
]

test.each(notes)('%j in both languages', (note, english, japanese) => {
  expect(noteWords(note, 'en')).toBe(english)
  expect(noteWords(note, 'ja')).toBe(japanese)
})
