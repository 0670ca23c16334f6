import { expect, test } from '@jest/globals'
import { nearestFirst, probablyMeant } from '#cli/nearest.ts'

test('what is most like the typed text comes first; what is equally like it keeps its order', () => {
  const present = ['breach/p95/gateway/2026', 'breach/p95/router_demo/2026', 'no_data/p95/router_demo/2026']
  expect(nearestFirst('breach/p95/router_dmo/2026', present)[0]).toBe(present[1])
  expect(nearestFirst('breach/p95/router_demo/2026/0003', present)[0]).toBe(present[1])
  expect(nearestFirst('no_data/p95/router/2026', present)[0]).toBe(present[2])
  expect(nearestFirst('', ['bb', 'aa', 'c'])).toEqual(['c', 'bb', 'aa'])
  expect(nearestFirst('x', [])).toEqual([])
})

test.each([
  ['sorce', 'source'],
  ['alerts', 'alert'],
  ['tst', 'test'],
  ['breech', 'breach'],
  ['fatal', undefined],
  ['ops', undefined],
  ['source', undefined],
  ['', undefined],
])('%s was probably meant to be %s', (typed, meant) => {
  expect(probablyMeant(typed, ['alert', 'breach', 'critical', 'list', 'source', 'test', 'warning'])).toBe(meant)
})
