import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { topics } from '#lib/topics.ts'
import { BIN, startBin } from '#tests/support/bin.ts'
import { freshDesk, putFile } from '#tests/support/desk.ts'
import { factsOf } from '#tests/support/desk-log.ts'
import { eventually } from '#tests/support/eventually.ts'
import { findProgram } from '#tests/support/find-program.ts'
import { testNeeding } from '#tests/support/required.ts'

/** A running `obstream up` whose configuration is edited; SIGHUP tells it to read it again. */

jest.setTimeout(180_000)
const DEADLINE_MS = 60_000

let router: Server
let url: string
let dataDir: string
let child: ChildProcess
let stderr: string

const main = (ids: readonly string[], more = ''): string =>
  `sources:\n${ids.map((id) => `  - {id: ${id}, kind: http, url: "${url}", interval: 2s, timeout: 1500ms}\n`).join('')}` +
  `window: {length: 10s, grace: 2s}\n${more || 'page: {bind: "127.0.0.1:0"}\n'}`

beforeEach(async () => {
  router = createServer((_, response) => void response.end('pong'))
  await new Promise<void>((resolve) => router.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(router.address() as AddressInfo).port}/ping`
  dataDir = freshDesk(main(['stays', 'leaves']))
})
afterEach(() => {
  child.kill('SIGKILL')
  router.closeAllConnections()
  router.close()
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(): Promise<void> {
  stderr = ''
  child = startBin(['up'], { cwd: dataDir })
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  await eventually(() => stderr.includes('obstream runs'), DEADLINE_MS)
}

const windows = async () => (await factsOf(dataDir, topics.window)).map(({ value }) => value)
const samplesOf = async (source: string) =>
  (await factsOf(dataDir, topics.sample)).flatMap(({ key, value }) =>
    key === source && value.type === 'probe' ? [value] : [],
  )
const plansOfTicks = async (): Promise<readonly string[]> => [
  ...new Set(
    (await factsOf(dataDir, topics.sample)).flatMap(({ value }) => (value.type === 'tick' ? [value.plan] : [])),
  ),
]
const messages = (): readonly string[] =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => (JSON.parse(line) as { message: string }).message)

function edit(yaml: string): void {
  putFile(dataDir, 'obstream.yaml', yaml)
  child.kill('SIGHUP')
}

describe('SIGHUP', () => {
  test('a new plan is named by the ticks that follow; a source leaves, one comes, and one goes on without a gap', async () => {
    await start()
    await eventually(async () => (await samplesOf('leaves')).length > 2, DEADLINE_MS)
    edit(main(['stays', 'comes'], 'page: {bind: "127.0.0.1:1"}\npartitions: 3\n'))
    await eventually(() => messages().some((message) => message.includes('is in force')), DEADLINE_MS)
    await eventually(
      () => messages().some((message) => message.startsWith('partitions, page.bind: cannot change while')),
      DEADLINE_MS,
    )
    const retired = await eventually(
      async () => (await windows()).find((fact) => fact.type === 'window' && fact.verdict === 'retired'),
      DEADLINE_MS,
    )
    expect(retired).toMatchObject({ source: 'leaves' })
    await eventually(
      async () =>
        (await windows()).some(
          (fact) => fact.type === 'window' && fact.source === 'comes' && fact.count > 0 && fact.expectedCount > 0,
        ),
      DEADLINE_MS,
    )
    const plans = (await factsOf(dataDir, topics.plan)).map(({ key }) => key)
    expect(plans).toHaveLength(2)
    expect(await plansOfTicks()).toEqual(plans)
    const slots = (await samplesOf('stays')).map(({ scheduledAt }) => scheduledAt).toSorted((a, b) => a - b)
    expect(slots).toEqual(slots.map((_, i) => slots[0]! + i * 2_000))

    const ended = once(child, 'close')
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })

  test('one with faults is told with its places and changes nothing; corrected, it is taken', async () => {
    await start()
    edit(main(['stays']).replace('interval: 2s', 'interval: never'))
    const told = await eventually(() => messages().find((message) => message.includes('is not used')), DEADLINE_MS)
    expect(told).toContain(`${join(dataDir, 'obstream.yaml')}:2:`)
    const count = (await samplesOf('leaves')).length
    await eventually(async () => (await samplesOf('leaves')).length > count + 2, DEADLINE_MS)
    expect(await plansOfTicks()).toHaveLength(1)
    edit(main(['stays']))
    await eventually(async () => (await plansOfTicks()).length === 2, DEADLINE_MS)
    const ended = once(child, 'close')
    child.kill('SIGINT')
    expect(await ended).toEqual([0, null])
  })
})

/** Runs a command on a terminal of its own; a line on stdin closes that terminal. Prints the command's pid, then its exit code. */
const TERMINAL = `
import os, pty, sys, threading
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
print(pid, flush=True)
def read():
    try:
        while os.read(terminal, 65536): pass
    except OSError: pass
threading.Thread(target=read, daemon=True).start()
sys.stdin.readline()
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
`

testNeeding(
  findProgram('python3') === undefined ? 'python3 is not installed' : undefined,
  'when the terminal is closed that it runs on, it ends like any command',
  async () => {
    child = spawn('python3', ['-c', TERMINAL, process.execPath, BIN, 'up'], {
      cwd: dataDir,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    let told = ''
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      told += text
    })
    await eventually(async () => (await samplesOf('stays').catch(() => [])).length > 1, DEADLINE_MS)
    const pid = Number(told.trim())
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('up')
    child.stdin!.write('\n')
    await once(child, 'close')
    expect(told).toBe(`${pid}\n0\n`)
  },
)
