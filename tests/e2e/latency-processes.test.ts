import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { EmbeddedLog } from '#lib/eventlog/embedded-log.ts'
import type { JobFinished, JobStarted } from '#lib/facts.ts'
import { SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { type Ended, runBin, startBin } from '#tests/support/bin.ts'
import { freshDesk } from '#tests/support/desk.ts'
import { filesBelow } from '#tests/support/desk-cron.ts'
import { factsOf, openDeskLog } from '#tests/support/desk-log.ts'
import { eventually } from '#tests/support/eventually.ts'

/** Real processes on one data directory. */

jest.setTimeout(90_000)
/** A process starts in half a second, on a busy machine in ten. */
const DEADLINE_MS = 30_000

const RULES = `rules:
  - {id: latency_p95, match: "*", threshold_ms: 5000, error_ratio: 1}
`
let router: Server
/** Answers that the router owes; while `holds`, they wait. */
let owed: ServerResponse[]
let holds: boolean
let dataDir: string
let children: ChildProcess[]
let logs: EmbeddedLog[]

beforeEach(async () => {
  owed = []
  holds = false
  children = []
  logs = []
  router = createServer((_, response) => void (holds ? owed.push(response) : response.end('pong')))
  await new Promise<void>((resolve) => router.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(router.address() as AddressInfo).port}/ping`
  dataDir = freshDesk(
    `sources:\n  - {id: router, kind: http, url: "${url}", interval: 15s, timeout: 10s}\npage: {bind: "127.0.0.1:0"}\n`,
    RULES,
  )
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(logs.map((log) => log.close()))
  router.closeAllConnections()
  router.close()
})

/** Starts `obstream <args>` on the desk; `ended` is what became of it. */
function start(...args: readonly string[]) {
  const child = startBin(args, { cwd: dataDir })
  children.push(child)
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  const ended = once(child, 'close').then(([code, signal]): Ended => ({ code, signal, ...output }))
  return { child, output, ended }
}

const latency = () => runBin(['latency'], { cwd: dataDir })
const jobFacts = async () => (await factsOf(dataDir, topics.job)).map(({ value }) => value)
const starts = async () => (await jobFacts()).filter((fact): fact is JobStarted => fact.type === 'started')
const ends = async () => (await jobFacts()).filter((fact): fact is JobFinished => fact.type === 'finished')
const automationLog = () =>
  readFileSync(join(dataDir, 'ops/automation_runs.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** Holds a group as a service in another process would, but folds nothing. */
async function hold(group: string): Promise<EmbeddedLog> {
  const log = openDeskLog(dataDir)
  logs.push(log)
  await log.subscribe(group, topics.sample.name, {
    assigned: async (_, committed) => committed?.offset ?? 0,
    batch: async () => null,
    revoked: () => {},
  })
  return log
}

describe('two runs at once', () => {
  test('one does the work, from the first probe on; the other warns in one line, is skipped and ends well', async () => {
    holds = true
    const first = start('latency')
    await eventually(() => owed.length > 0, DEADLINE_MS)
    const second = await latency()
    expect({ code: second.code, summary: JSON.parse(second.stdout) }).toEqual({
      code: 0,
      summary: {
        job_id: expect.stringMatching(/^\d{8}T\d{6}Z-latency$/),
        status: 'skipped',
        skip_reason: 'lock_held',
      },
    })
    expect(second.stderr).toMatch(/^warning: \S+-latency is skipped: another run holds the lock\n$/)
    holds = false
    for (const response of owed) response.end('pong')
    const { code, stdout } = await first.ended
    expect({ code, status: JSON.parse(stdout).status }).toEqual({ code: 0, status: 'ok' })
    expect((await starts()).length).toBe(1)
    expect((await ends()).map(({ status }) => status).toSorted()).toEqual(['ok', 'skipped'])
  })

  test('five started together: nobody fails, and no sample, window or line is there twice', async () => {
    const ended = await Promise.all(Array.from({ length: 5 }, latency))
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
    const statuses = ended.map(({ stdout }) => JSON.parse(stdout).status as string)
    expect(statuses).toContain('ok')
    expect(statuses.every((status) => status === 'ok' || status === 'skipped')).toBe(true)
    const keys = (await factsOf(dataDir, topics.job)).map(({ key }) => key)
    expect(new Set(keys).size).toBe(keys.length)
    const ids = (await factsOf(dataDir, topics.sample)).flatMap(({ key, value }) =>
      value.type === 'probe' ? [`${key}/${value.scheduledAt}/${value.ordinal}`] : [],
    )
    expect(new Set(ids).size).toBe(ids.length)
  })
})

test('while the services run in another process it is skipped and ends well', async () => {
  const service = start('serve', 'sampler')
  await eventually(() => service.output.stderr.includes('sampler runs'), DEADLINE_MS)
  const { code, stdout, stderr } = await latency()
  expect({ code, summary: JSON.parse(stdout) }).toMatchObject({
    code: 0,
    summary: { status: 'skipped', skip_reason: 'services_running' },
  })
  expect(stderr.match(/^warning: .*/gm)).toEqual([
    expect.stringMatching(/is skipped: the services run in another process and do this themselves$/),
  ])
  service.child.kill('SIGINT')
  expect((await service.ended).code).toBe(0)
  expect(JSON.parse((await latency()).stdout)).toMatchObject({ status: 'ok' })
})

describe('a run that dies between its claim and its end', () => {
  /** A run that has claimed its slot and cannot end it: rollup, which another process holds, does not come to its cut. */
  async function claimed() {
    expect((await latency()).code).toBe(0)
    await nextSlot((await starts())[0]!)
    const rollup = await hold('rollup')
    const run = start('latency')
    await eventually(async () => (await starts()).length === 2, DEADLINE_MS)
    return { ...run, start: (await starts())[1]!, releaseRollup: () => rollup.close() }
  }

  /** A run's slot is the second it begins in; one of the same second would be a retry. */
  const nextSlot = ({ slotAt }: JobStarted) => eventually(() => Date.now() >= slotAt + SECOND_MS, DEADLINE_MS)

  /** The run after it: does the open slot by its recorded cut, then its own. */
  async function expectResumed(open: JobStarted): Promise<void> {
    await nextSlot(open)
    const { code, stdout } = await latency()
    expect({ code, summary: JSON.parse(stdout) }).toMatchObject({ code: 0, summary: { status: 'ok' } })
    const recorded = await starts()
    expect(recorded).toHaveLength(3)
    expect(recorded[1]).toEqual(open)
    expect((await ends()).map(({ slotAt, attempt, status }) => [slotAt, attempt, status])).toEqual([
      [recorded[0]!.slotAt, 1, 'ok'],
      [open.slotAt, 2, 'ok'],
      [recorded[2]!.slotAt, 1, 'ok'],
    ])
    expect(automationLog().map((line) => line['job_id'])).toEqual(recorded.map(({ jobId }) => jobId))
    const check = await runBin(['replay', '--check'], { cwd: dataDir })
    expect({ code: check.code, verdict: JSON.parse(check.stdout).verdict }).toEqual({ code: 0, verdict: 'equal' })
  }

  test('SIGKILL: the next run does that slot first, by the same cut, and there is one result', async () => {
    const { child, ended, start: open, releaseRollup } = await claimed()
    child.kill('SIGKILL')
    expect(await ended).toMatchObject({ code: null, signal: 'SIGKILL', stdout: '' })
    await releaseRollup()
    await expectResumed(open)
  })

  test('SIGINT: it says so, ends with 75 and leaves the slot open; the next run does it', async () => {
    const { child, ended, start: open, releaseRollup } = await claimed()
    child.kill('SIGINT')
    const { code, stderr } = await ended
    expect(code).toBe(75)
    expect(stderr).toContain('[OBS_CLI_INTERRUPTED]')
    expect(stderr).not.toContain('unexpected')
    expect((await ends()).length).toBe(1)
    await releaseRollup()
    await expectResumed(open)
  })
})

test('SIGTERM while it probes ends it at once with 75; nothing is written of that probe, and the next run is as usual', async () => {
  holds = true
  const run = start('latency')
  await eventually(() => owed.length > 0, DEADLINE_MS)
  run.child.kill('SIGTERM')
  expect(await run.ended).toMatchObject({ code: 75, stdout: '' })
  expect((await factsOf(dataDir, topics.sample)).filter(({ value }) => value.type === 'probe')).toEqual([])
  expect(await starts()).toEqual([])
  holds = false
  expect(JSON.parse((await latency()).stdout)).toMatchObject({ status: 'ok' })
})

test('a dry run beside a real one neither waits nor disturbs', async () => {
  const artefacts = () =>
    Object.entries(filesBelow(join(dataDir, 'ops'))).filter(([path]) => !path.startsWith('.latency.lock'))
  const before = artefacts()
  holds = true
  const real = start('latency')
  await eventually(() => owed.length > 0, DEADLINE_MS)
  const dry = start('latency', '--dry-run')
  await eventually(() => owed.length > 1, DEADLINE_MS)
  holds = false
  owed[1]!.end('pong')
  const ended = await dry.ended
  expect({ code: ended.code, status: JSON.parse(ended.stdout).status }).toEqual({ code: 0, status: 'ok' })
  expect(artefacts()).toEqual(before)
  owed[0]!.end('pong')
  expect(JSON.parse((await real.ended).stdout)).toMatchObject({ status: 'ok' })
})
