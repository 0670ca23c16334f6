import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { latency } from '#cli/actions/latency.ts'
import { reportFailure } from '#cli/exit.ts'
import { latencyCommand } from '#cli/latency.ts'
import { createProgram } from '#cli/program.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { ExitCode } from '#lib/errors.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { formatInstantMs } from '#lib/time.ts'
import { CapturedText } from './captured-context.ts'
import { freshDesk, putFile } from './desk.ts'
import { ManualClock } from './manual-clock.ts'

/** How `obstream latency` ended. */
export interface CronRun {
  readonly code: ExitCode
  /** The object on stdout; empty when there is none. */
  readonly summary: Readonly<Record<string, unknown>>
  readonly stderr: string
}

/** A data directory and a clock of its own, on which cron runs `obstream latency` in this process. */
export class CronDesk {
  readonly dataDir: string
  readonly clock: ManualClock
  #env: Readonly<Record<string, string>>

  /** @param env of every run */
  constructor(main: string, startAt: Instant, alert?: string, env: Readonly<Record<string, string>> = {}) {
    this.dataDir = freshDesk(main, alert)
    this.clock = new ManualClock(startAt)
    this.#env = env
  }

  /** Runs have this environment from now on. */
  setEnv(env: Readonly<Record<string, string>>): void {
    this.#env = env
  }

  /** Both clocks go on to an instant, as they do between two runs of cron. */
  goTo(at: Instant): void {
    this.clock.advance(at - this.clock.now())
  }

  async latency(...args: readonly string[]): Promise<CronRun> {
    const [stdout, stderr] = [new CapturedText(), new CapturedText()]
    const context = { stdout, stderr, env: this.#env, cwd: this.dataDir, clock: this.clock }
    const program = createProgram(context)
    const notInterrupted = new AbortController().signal
    latencyCommand(program, (session, flags) => latency({ ...session, interrupted: () => notInterrupted }, flags))
    const code = await program.root.parseAsync(['--quiet', 'latency', ...args], { from: 'user' }).then(
      () => program.exitCode,
      (error: unknown) => reportFailure(context, error, false),
    )
    return { code, summary: stdout.text === '' ? {} : JSON.parse(stdout.text), stderr: stderr.text }
  }

  put(path: string, content: string | Uint8Array): void {
    putFile(this.dataDir, path, content)
  }

  /** What the trading system does: appends to its csv file. */
  append(path: string, text: string): void {
    appendFileSync(join(this.dataDir, path), text)
  }

  read(path: string): string {
    return readFileSync(join(this.dataDir, path), 'utf8')
  }

  /** Lines of a csv file without its header. */
  rows(path: string): readonly string[] {
    return this.read(path).split('\n').slice(1, -1)
  }

  remove(): void {
    rmSync(this.dataDir, { recursive: true, force: true })
  }
}

/** Paths below a folder and the sha256 of what they hold; without the folder, none. */
export function filesBelow(folder: string): Readonly<Record<string, string>> {
  if (!existsSync(folder)) return {}
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).toSorted()
  return Object.fromEntries(paths.map((path) => [relative(folder, path), sha256Hex(readFileSync(path))]))
}

/** One row of a csv source. */
export function csvRow(source: string, at: Instant, latencyMs: Milliseconds): string {
  return `${formatInstantMs(at)},${source},${latencyMs}\n`
}

export const CSV_HEADER = 'timestamp_utc,source,latency_ms\n'
