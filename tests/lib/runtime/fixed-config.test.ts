import { expect, test } from '@jest/globals'
import { keepFixed } from '#lib/runtime/fixed-config.ts'
import { configOf, http } from '#tests/services/sampler/desk.ts'

const old = configOf([http('a')])

test('what a running process can follow is new, and nothing is kept', () => {
  const next = { ...configOf([http('b')]), locale: 'ja' } as const
  expect(keepFixed(old, next)).toEqual({ config: next, kept: [] })
})

test('what it cannot follow stays, and is named as the configuration names it', () => {
  const next = {
    ...configOf([http('b')]),
    log: 'sqlite:other.db',
    partitions: 3,
    bind: { host: '127.0.0.1', port: 9_999 },
    kafka: { ...old.kafka, clientId: 'other' },
    registry: { url: 'http://r', ca: null, credentials: null, waitMs: 1 },
  }
  const { config, kept } = keepFixed(old, next)
  expect(kept).toEqual(['log', 'kafka', 'registry', 'partitions', 'page.bind'])
  expect(config).toEqual({ ...old, sources: next.sources })
})
