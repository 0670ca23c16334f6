import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cutText, oneLine } from '#services/alerter/messages/cut.ts'
import { messageJson } from '#services/alerter/messages/message-json.ts'
import { cutEscaped, escapeText } from '#services/alerter/messages/slack-text.ts'

const anyText = fc.string({ unit: fc.constantFrom('a', '&', '<', '>', '🚨', '\ud83d', '\udea8', 'é', '\n', '重') })

describe('a text is cut', () => {
  test.each([
    ['that fits is left alone', 'abc', 3, 'abc', false],
    ['that is one too long loses two and gets a mark', 'abcd', 3, 'ab…', true],
    ['never in the middle of an emoji', 'a🚨bc', 3, 'a…', true],
    ['after an emoji that fits', 'a🚨bcd', 4, 'a🚨…', true],
    ['to nothing but the mark', '🚨🚨', 1, '…', true],
    ['that is empty is left alone', '', 1, '', false],
  ])('%s', (_, text, most, cut, isCut) => {
    expect(cutText(text, most)).toEqual({ text: cut, isCut })
  })

  test('to the longest beginning that fits, and no good emoji is broken', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 12 }), (text, most) => {
        const cut = cutText(text, most)
        expect(cut.text.length).toBeLessThanOrEqual(most)
        expect(cut.isCut).toBe(text.length > most)
        expect(text.startsWith(cut.isCut ? cut.text.slice(0, -1) : cut.text)).toBe(true)
        if (text.isWellFormed()) expect(cut.text.isWellFormed()).toBe(true)
        if (cut.isCut) expect(cut.text.length).toBeGreaterThanOrEqual(Math.max(most - 1, 1))
      }),
    )
  })
})

describe('a text for Slack', () => {
  test('has its three characters escaped, each once', () => {
    expect(escapeText('a & b < c > d &amp; <!channel>')).toBe('a &amp; b &lt; c &gt; d &amp;amp; &lt;!channel&gt;')
  })

  test.each([
    ['&&', 9, '&amp;…', true],
    ['&&', 10, '&amp;&amp;', false],
    ['a<b', 5, 'a…', true],
    ['a&b', 6, 'a…', true],
    ['amp amp', 5, 'amp …', true],
  ])('%s in %i characters is %s', (text, most, cut, isCut) => {
    expect(cutEscaped(text, most)).toEqual({ text: cut, isCut })
  })

  test('never ends in half an escape, and reads as the beginning of what was meant', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 20 }), (text, most) => {
        const { text: cut, isCut } = cutEscaped(text, most)
        expect(cut.length).toBeLessThanOrEqual(most)
        expect(cut).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/)
        const read = cut.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
        expect(text.startsWith(isCut ? read.slice(0, -1) : read)).toBe(true)
      }),
    )
  })
})

test('one line stays one, and has UTF-8', () => {
  expect(oneLine('a\r\n\tb\u0000c\u2028d\u0085e \ud83d f 🚨')).toBe('a b c d e \ufffd f 🚨')
})

test('half a surrogate pair in a name or a value becomes U+FFFD, and all else is canonical JSON', () => {
  expect(messageJson({ b: ['\ud83d', '🚨'], 'a\udea8': { c: null, d: 1.5, e: true } })).toBe(
    '{"a\ufffd":{"c":null,"d":1.5,"e":true},"b":["\ufffd","🚨"]}',
  )
  expect(() => messageJson({ a: Number.NaN })).toThrow(TypeError)
})
