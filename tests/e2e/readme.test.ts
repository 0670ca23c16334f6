import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { exitCodes } from '#lib/errors.ts'
import { testNeeding } from '#tests/support/required.ts'
import { javaMissing } from '#tools/kafka/libraries.ts'
import { isFree } from '#tools/kafka/ports.ts'

/** The README's shell blocks, run in order in a copy of the project, as a new user would type them. */

const root = fileURLToPath(new URL('../../', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) =>
  commandsOf(block!.trim().split('\n')),
)

/** What is exported holds for the rest of its block. */
function commandsOf(lines: readonly string[]): readonly string[] {
  const exports = lines.filter((line) => line.startsWith('export '))
  return lines.filter((line) => !exports.includes(line)).map((line) => [...exports, line].join('; '))
}

/** What has been done to get here (`npm ci`), or is being done (`npm test`). */
const UNDER_WAY = new Set(['npm ci', 'npm test'])

/** Commands that go on beside those after them, in a terminal of their own. */
const BESIDE = new Set(['npm run kafka:dev'])

interface Until {
  readonly lines: readonly RegExp[]
  /** Lines as the README shows them, with other times, figures and ids. */
  readonly shown?: readonly string[]
  readonly withinMs: number
}

/** Commands that run until Ctrl-C, and the lines after which a reader has seen what the README promised. */
const UNTIL: Readonly<Record<string, Until>> = {
  'npm start': {
    lines: [
      /received {2}ops {2}WARNING router_demo: .* — signature right \(webhook-signature\), msg_/,
      /ALERT .*RESOLVED router_demo/,
      /received {2}ops {2}RESOLVED router_demo: .* — signature right \(webhook-signature\), msg_/,
      /received {2}chat {2}RESOLVED router_demo: /,
    ],
    shown: shownAfter('npm start'),
    withinMs: 150_000,
  },
  'npx obstream --data-dir desk up': { lines: [/ sample /], withinMs: 60_000 },
  'npm run kafka:dev': { lines: [/Ctrl-C stops both/], withinMs: 150_000 },
}

function hasAll(text: string, { lines, shown = [] }: Until): boolean {
  const shape = shapeOf(text)
  return lines.every((line) => line.test(text)) && shown.every((line) => shape.includes(shapeOf(line)))
}

/** Without what is different each time; a period over midnight is written with its days. */
function shapeOf(text: string): string {
  return text
    .replaceAll(/\([^()\n]* UTC\)/g, '(period)')
    .replaceAll(/msg_[0-9a-f]+/g, 'msg')
    .replaceAll(/\d+/g, '0')
}

/** The lines of the first block of output after a command. */
function shownAfter(command: string): readonly string[] {
  const [, block] = readme.split(`\n${command}\n\`\`\`\n`)[1]!.match(/^```\n([\s\S]*?)^```/m)!
  return block!.trim().split('\n')
}

/** With the environment that is exported before, and without. */
const untilOf = (command: string) => UNTIL[command.split('; ').at(-1)!]
const besides: (() => Promise<unknown>)[] = []

let project: string

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'obstream-readme-'))
  const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  for (const path of tracked.split('\n'))
    if (path && existsSync(join(root, path))) cpSync(join(root, path), join(project, path), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'))
})

afterAll(async () => {
  for (const stop of besides) await stop()
  rmSync(project, { recursive: true, force: true })
}, 60_000)

test('is short enough to be read', () => {
  expect(readme.split('\n').length).toBeLessThan(200)
})

test('a start that finds the port of its receivers taken says so, and ends', async () => {
  const other = createServer()
  other.listen(9001, '127.0.0.1')
  await once(other, 'listening')
  try {
    const { code, text } = await run('npm start')
    expect(text).toContain(
      'the receivers of the demo cannot listen on 127.0.0.1:9001 (EADDRINUSE); stop what listens there',
    )
    expect(code).toBe(exitCodes.unavailable)
  } finally {
    other.close()
  }
})

/** What the part about Kafka needs. */
const kafkaMissing =
  javaMissing() ?? ((await isFree(9092)) && (await isFree(8081)) ? undefined : 'port 9092 or 8081 is taken')

for (const command of blocks.flat().filter((line) => !UNDER_WAY.has(line)))
  testNeeding(
    command.includes('kafka') ? kafkaMissing : undefined,
    command,
    async () => {
      const { code, text } = await follow(command)
      expect({ command, code, text: code === 0 ? '' : text }).toEqual({ command, code: 0, text: '' })
    },
    180_000,
  )

function follow(command: string): Promise<Ended> {
  if (BESIDE.has(command)) return runBeside(command)
  const until = untilOf(command)
  return until ? runUntil(command, until) : run(command)
}

const STOPPED = /^stopped; the next start goes on here$/m

interface Ended {
  readonly code: number | null
  readonly text: string
}

function start(command: string): {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  readonly text: () => string
} {
  const env = { ...process.env, npm_config_loglevel: 'silent' }
  const child = spawn('bash', ['-c', command], { cwd: project, env, detached: true })
  let text = ''
  child.stdout.on('data', (data) => (text += data))
  child.stderr.on('data', (data) => (text += data))
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, text })))
  return { child, ended, text: () => text }
}

const run = (command: string): Promise<Ended> => start(command).ended

/** Starts it, waits for its line, and leaves it running until all is done. */
async function runBeside(command: string): Promise<Ended> {
  const { child, ended, text } = start(command)
  const until = untilOf(command)!
  besides.push(() => {
    process.kill(-child.pid!, 'SIGINT')
    return ended
  })
  const deadline = AbortSignal.timeout(until.withinMs)
  const isThere = await new Promise<boolean>((resolve) => {
    child.stdout?.on('data', () => hasAll(text(), until) && resolve(true))
    deadline.addEventListener('abort', () => resolve(false))
    void ended.then(() => resolve(false))
  })
  return { code: isThere ? 0 : -1, text: text() }
}

/**
 * Presses Ctrl-C once the lines are there: a terminal sends it to the whole process group, so the shell and npm die of it
 * while obstream stops; what it says last tells that it did.
 */
async function runUntil(command: string, until: Until): Promise<Ended> {
  const { child, ended, text } = start(command)
  const send = (signal: NodeJS.Signals): void => void process.kill(-child.pid!, signal)
  const deadline = setTimeout(() => send('SIGKILL'), until.withinMs)
  let isPressed = false
  const watch = (): void => {
    if (isPressed || !hasAll(text(), until)) return
    isPressed = true
    send('SIGINT')
  }
  child.stdout?.on('data', watch)
  child.stderr?.on('data', watch)
  const result = await ended
  clearTimeout(deadline)
  return { ...result, code: hasAll(result.text, until) && STOPPED.test(result.text) ? 0 : -1 }
}
