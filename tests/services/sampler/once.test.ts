import { expect, test } from '@jest/globals'
import { ObstreamError } from '#lib/errors.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { environmentOn } from '#lib/runtime/environment.ts'
import { randomIds } from '#lib/runtime/ids.ts'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import { sampleOnce } from '#services/sampler/main.ts'
import { freshDesk } from '#tests/support/desk.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

test('a round whose group fails under it ends with that fault, and does not wait for partitions that never come', async () => {
  const clock = new ManualClock(Date.parse('2026-06-27T12:00:00Z'))
  const memory = openMemoryLog({ clock, partitions: 1 })
  const log: EventLog = {
    endsLagMs: 0,
    append: (...all) => memory.append(...all),
    read: (...all) => memory.read(...all),
    follow: (...all) => memory.follow(...all),
    offsets: (...all) => memory.offsets(...all),
    committed: (...all) => memory.committed(...all),
    subscribe: async () => {
      const ended = Promise.reject(new ObstreamError('OBS_LOG_IO', 'the disk is broken'))
      ended.catch(() => {})
      return { ended, stop: async () => {} }
    },
    topics: memory.topics,
    close: () => memory.close(),
  }
  const { config } = loadConfig({ dataDir: freshDesk(), env: {} })
  const logger = { info: () => {}, warn: () => {} }
  const parts = { config, clock, ids: randomIds, logger, metrics: createMetricsRegistry() }
  const env = await environmentOn(log, openEmbeddedRegistry(memory.schemas), parts)
  await expect(sampleOnce(env, new AbortController().signal)).rejects.toMatchObject({ code: 'OBS_LOG_IO' })
})
