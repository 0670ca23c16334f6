import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatProgress, parseProgress } from '#lib/eventlog/progress.ts'

const cause = fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 3 })
const progress = fc.record({
  offset: fc.maxSafeNat(),
  mark: cause,
  position: cause,
  floor: fc.option(cause),
  done: fc.option(cause),
  reached: fc.option(fc.maxSafeInteger()),
})

test('the text is what the port says', () => {
  const commit = {
    offset: 80,
    mark: [81, 2],
    position: [90],
    floor: null,
    done: [89, 1, 0],
    reached: 1_782_604_800_000,
  }
  expect(formatProgress(commit)).toBe('v1 81.2 90 - 89.1.0 1782604800000')
})

test('every progress comes back', () => {
  fc.assert(
    fc.property(progress, (commit) => expect(parseProgress(commit.offset, formatProgress(commit))).toEqual(commit)),
  )
})

test.each([
  '',
  'v1',
  'v2 1 1 - - -',
  'v1 - 1 - - -',
  'v1 1 - - - -',
  'v1 1 1 - -',
  'v1 1 1 - - - -',
  'v1 1 1 x - -',
  'v1 1 1 - - 1.5',
  'v1 1 1 - - 0x1',
  'hello',
])('"%s" is no progress', (text) => expect(parseProgress(0, text)).toBeUndefined())
