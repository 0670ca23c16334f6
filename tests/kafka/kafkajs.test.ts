import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeAll, expect, test } from '@jest/globals'
import { freshTopics, read, record, recordsOf } from '#tests/contract/eventlog-fixture.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { kafkaTool, kafkaToolsMissing } from '#tests/support/kafka/kafka-tools.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'

/** What we take from kafkajs: that it is what we have read, what is mended in it, and what it does for us by itself. */

const missing = kafkaMissing()
const MINUTE_MS = 60_000
const { plain } = freshTopics()
let bootstrap: string
let logs: FreshLog | undefined

if (missing === undefined)
  beforeAll(async () => {
    bootstrap = (await sharedKafka()).bootstrap
  }, 180_000)
afterEach(() => logs?.close())

test('kafkajs is the release whose inner parts we have read', () => {
  const load = createRequire(import.meta.url)
  const sourceOf = (path: string): string => readFileSync(load.resolve(`kafkajs/${path}`), 'utf8')
  expect(JSON.parse(sourceOf('package.json')).version).toBe('2.2.4')
  const ours = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(ours.dependencies.kafkajs).toBe('2.2.4')
  // The mended part: when this fails, look whether the mend in lib/eventlog/kafka/kafkajs.ts is still right, or needed.
  const mended = createHash('sha256').update(sourceOf('src/network/requestQueue/index.js')).digest('hex')
  expect(mended).toBe('b55986089c14f8f7bfc377922e2e65b3e4c1e7c7af2752d3b10a75dfe9e9260c')
})

testNeeding(
  missing,
  'who follows a quiet topic sets few timers, and none that makes Node warn',
  async () => {
    logs = freshLog([bootstrap])
    const log = await logs.open()
    await log.topics.apply([plain])
    await log.append(plain.name, 0, recordsOf('a'))
    const script = fileURLToPath(new URL('../support/kafka/idle-process.ts', import.meta.url))
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [script, bootstrap, logs.prefix, plain.name],
      {
        timeout: 20_000,
      },
    )
    const { batches, timers } = JSON.parse(stdout)
    expect(stderr).toBe('')
    expect(batches).toBe(1)
    expect(timers).toBeLessThan(30)
  },
  MINUTE_MS,
)

testNeeding(
  missing ?? kafkaToolsMissing(),
  'a broker that slows a reader down with empty answers keeps no record from it',
  async () => {
    logs = freshLog([bootstrap], { clientId: 'obstream-slow' })
    const log = await logs.open()
    await log.topics.apply([plain])
    await kafkaTool('kafka.admin.ConfigCommand', [
      ...['--bootstrap-server', bootstrap, '--alter', '--entity-type', 'clients', '--entity-name', 'obstream-slow'],
      ...['--add-config', 'consumer_byte_rate=150000'],
    ])
    const keys = Array.from({ length: 8 }, (_, i) => `k${i}`)
    for (const key of keys) await log.append(plain.name, 0, [record(key, 'v'.repeat(100_000))])
    // Of ten seconds, so the first read goes through, and the second is made to wait.
    for (let i = 0; i < 2; i++)
      expect(await read(log, plain, 0, keys.length)).toBe(keys.map((key, offset) => `${offset}:${key}`).join(' '))
  },
  MINUTE_MS,
)
