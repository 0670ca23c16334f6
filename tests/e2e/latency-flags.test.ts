import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, jest, test } from '@jest/globals'
import { latencyCommand } from '#cli/latency.ts'
import { createProgram } from '#cli/program.ts'
import type { JobStarted } from '#lib/facts.ts'
import { MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { type Ended, runBin } from '#tests/support/bin.ts'
import { capturedContext } from '#tests/support/captured-context.ts'
import { freshDesk, putFile } from '#tests/support/desk.ts'
import { CronDesk, CSV_HEADER } from '#tests/support/desk-cron.ts'
import { factsOf } from '#tests/support/desk-log.ts'

/** Every flag that `obstream latency` takes does what it says, and so does its twin in the environment. */

jest.setTimeout(90_000)

const MAIN = `sources:
  - {id: signals, kind: csv, path: signals.csv, interval: 15m}
`
const alertWith = (thresholdMs: number): string => `rules:
  - {id: latency_p95, match: "*", threshold_ms: ${thresholdMs}}
`

function desk(): string {
  const dataDir = freshDesk(MAIN, alertWith(5_000))
  putFile(dataDir, 'signals.csv', CSV_HEADER)
  return dataDir
}

async function optionsOf(dataDir: string): Promise<JobStarted['options']> {
  const [first] = await factsOf(dataDir, topics.job)
  return (first!.value as JobStarted).options
}

interface Flag {
  readonly value?: string
  /** What else the desk needs. */
  prepare?(dataDir: string): void
  check(dataDir: string, ended: Ended): Promise<void> | void
  /** Where the command is started, and its data directory when it is another one. */
  readonly cwd?: (dataDir: string) => string
}

const flags: Readonly<Record<string, Flag>> = {
  '--raw-retention-days': {
    value: '3',
    check: async (dataDir) => expect(await optionsOf(dataDir)).toMatchObject({ raw_retention_days: '3' }),
  },
  '--rollup-retention-days': {
    value: '30',
    check: async (dataDir) => expect(await optionsOf(dataDir)).toMatchObject({ rollup_retention_days: '30' }),
  },
  '--rollup-output': {
    value: 'elsewhere/hours.csv',
    check: (dataDir) => {
      expect(existsSync(join(dataDir, 'elsewhere/hours.csv'))).toBe(true)
      expect(existsSync(join(dataDir, 'ops/signal_latency_rollup.csv'))).toBe(false)
    },
  },
  '--lock-file': {
    value: 'locks/latency',
    check: (dataDir) => {
      expect(existsSync(join(dataDir, 'locks/latency'))).toBe(true)
      expect(existsSync(join(dataDir, 'ops/.latency.lock'))).toBe(false)
    },
  },
  '--alert-config': {
    value: 'strict.yaml',
    prepare: (dataDir) => putFile(dataDir, 'strict.yaml', alertWith(77)),
    check: async (dataDir) => {
      const [plan] = await factsOf(dataDir, topics.plan)
      expect(plan!.value.canonicalJson).toContain('"threshold_ms":77')
    },
  },
  '--dry-run-alert': {
    check: (dataDir, { stdout }) => {
      const { status, job_id } = JSON.parse(stdout)
      expect(status).toBe('ok')
      expect(readFileSync(join(dataDir, `out/latency_alerts/${job_id}.json`), 'utf8')).toBe('[]\n')
    },
  },
  '--dry-run': {
    check: (dataDir) => {
      expect(readdirSync(join(dataDir, 'out/dry-run'))).toHaveLength(1)
      expect(existsSync(join(dataDir, 'ops'))).toBe(false)
    },
  },
  '--jitter-seconds': {
    value: '1',
    check: (_, { stdout }) => expect(JSON.parse(stdout)).toMatchObject({ status: 'ok' }),
  },
  '--json': {
    check: (_, { stdout }) => expect(JSON.parse(stdout)).toMatchObject({ status: 'ok', samples_written: 0 }),
  },
  '--quiet': { check: (_, { stderr }) => expect(stderr).toBe('') },
  '--log': {
    value: 'sqlite:other/place.db',
    check: (dataDir) => {
      expect(existsSync(join(dataDir, 'other/place.db'))).toBe(true)
      expect(existsSync(join(dataDir, 'log'))).toBe(false)
    },
  },
  // A log on Kafka asks it (tests/kafka/registry-desk.test.ts); the embedded log keeps its schemas itself and asks nobody.
  '--registry': {
    value: 'http://127.0.0.1:1',
    check: (_, { stdout }) => expect(JSON.parse(stdout)).toMatchObject({ status: 'ok' }),
  },
  '--config': {
    value: 'mine.yaml',
    prepare: (dataDir) => renameSync(join(dataDir, 'obstream.yaml'), join(dataDir, 'mine.yaml')),
    check: (dataDir) => expect(existsSync(join(dataDir, 'ops/signal_latency.csv'))).toBe(true),
  },
  '--data-dir': {
    value: '..',
    cwd: (dataDir) => join(dataDir, 'below'),
    prepare: (dataDir) => mkdirSync(join(dataDir, 'below')),
    check: (dataDir) => {
      expect(existsSync(join(dataDir, 'ops/signal_latency.csv'))).toBe(true)
      expect(readdirSync(join(dataDir, 'below'))).toEqual([])
    },
  },
}

test('the table has every flag of the command', () => {
  const program = createProgram(capturedContext().context)
  latencyCommand(program, async () => undefined)
  const command = program.root.commands.find((candidate) => candidate.name() === 'latency')
  const all = [...program.root.options, ...command!.options].map(({ long }) => long!)
  expect(Object.keys(flags).toSorted()).toEqual(all.filter((name) => name !== '--version').toSorted())
})

test.each(Object.entries(flags))('%s, typed or by its twin in the environment', async (name, flag) => {
  const { value, prepare, check, cwd = (dataDir) => dataDir } = flag
  const twin = `OBS_${name.slice(2).replaceAll('-', '_').toUpperCase()}`
  const ways = [
    { args: ['latency', ...(value === undefined ? [name] : [name, value])], env: {} },
    { args: ['latency'], env: { [twin]: value ?? '1' } },
  ]
  await Promise.all(
    ways.map(async ({ args, env }) => {
      const dataDir = desk()
      prepare?.(dataDir)
      const ended = await runBin(args, { cwd: cwd(dataDir), env })
      expect(`${ended.code} ${ended.stderr.match(/error.*/)?.[0] ?? ''}`).toBe('0 ')
      await check(dataDir, ended)
    }),
  )
})

test('what is typed wins over the environment', async () => {
  const dataDir = desk()
  await runBin(['latency', '--raw-retention-days', '4'], { cwd: dataDir, env: { OBS_RAW_RETENTION_DAYS: '9' } })
  expect(await optionsOf(dataDir)).toMatchObject({ raw_retention_days: '4' })
})

test('a wrong value, typed or in the environment, ends with 64 before anything is opened', async () => {
  const dataDir = desk()
  for (const ended of [
    await runBin(['latency', '--jitter-seconds', 'soon'], { cwd: dataDir }),
    await runBin(['latency'], { cwd: dataDir, env: { OBS_JITTER_SECONDS: 'soon' } }),
  ]) {
    expect(ended.code).toBe(64)
    expect(ended.stderr).toContain('Write a whole number from 0 to 3600.')
  }
  expect(existsSync(join(dataDir, 'log'))).toBe(false)
})

test('with jitter it waits that long at most, and its slot is the moment when it begins', async () => {
  const startAt = Date.UTC(2026, 5, 27)
  const on = new CronDesk(MAIN, startAt, alertWith(5_000))
  on.put('signals.csv', CSV_HEADER)
  const slept: number[] = []
  const { clock } = on
  const sleep = clock.sleep.bind(clock)
  clock.sleep = async (ms, signal) => {
    slept.push(ms)
    const sleeping = sleep(ms, signal)
    clock.advance(Math.round(ms))
    await sleeping
  }
  const { summary } = await on.latency('--jitter-seconds', '60')
  expect(slept[0]).toBeGreaterThanOrEqual(0)
  expect(slept[0]).toBeLessThan(MINUTE_MS)
  const second = Math.floor((startAt + Math.round(slept[0]!)) / SECOND_MS) * SECOND_MS
  expect(summary['job_id']).toBe(`${new Date(second).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-latency`)
  on.remove()
})
