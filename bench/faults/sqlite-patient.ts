import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import type { Random } from '../random.ts'
import { LOG_PATH } from './desk.ts'
import { copyLog, type Evidence, type Mark, takeMarks } from './evidence.ts'
import type { Fault } from './fault.ts'
import { Life } from './life.ts'
import { Observer } from './observer.ts'
import { openDesk } from './open-desk.ts'
import type { Bed, Patient } from './patient.ts'

const START_SHARE = 0.25
/** A start takes about this long. */
const START_MS = 900
const SOON_SHARE = 0.3
const SOON_MS = 50
const OBSERVED_SHARE = 0.5

/** `obstream up` on the embedded log, killed at random moments: while it starts, soon after, and while it runs. */
export class SqlitePatient implements Patient {
  readonly flags: readonly string[]
  readonly #dataDir: string
  readonly #path: string
  readonly #random: Random
  readonly #env: Bed['env']
  readonly #longestLifeMs: number
  readonly #observer = new Observer()
  readonly #marks: Mark[] = []
  #last: Life | null = null

  /** @param longestLifeMs the longest that a life lasts once it runs */
  constructor({ dataDir, random, env }: Bed, longestLifeMs: number) {
    this.flags = ['--data-dir', dataDir]
    this.#dataDir = dataDir
    this.#path = join(dataDir, LOG_PATH)
    this.#random = random
    this.#env = env
    this.#longestLifeMs = longestLifeMs
  }

  async hurt(): Promise<string> {
    const ran = await this.#liveAndDie()
    this.#marks.push(...(await this.#takeMarks()))
    return ran ? 'SIGKILL while running' : 'SIGKILL while starting'
  }

  async heal(): Promise<void> {
    const life = new Life([...this.flags, 'up'], this.#env)
    this.#last = life
    await Promise.race([life.runs, life.ended])
  }

  async stop(): Promise<readonly Fault[]> {
    const { code, stderr } = await this.#last!.stop()
    return code === 0 ? [] : [{ kind: 'process_ended', about: `obstream up ended with ${code}:\n${stderr}` }]
  }

  said(): string {
    return this.#last?.stderr ?? ''
  }

  evidence(): Pick<Evidence, 'marks' | 'observed'> {
    return { marks: this.#marks, observed: this.#observer.taken }
  }

  open(): Promise<Environment> {
    return this.openCopy(this.#path)
  }

  async copyLog(): Promise<string> {
    return copyLog(this.#path, mkdtempSync(join(tmpdir(), 'obstream-faults-log-')))
  }

  openCopy(path: string): Promise<Environment> {
    return openDesk({ dataDir: this.#dataDir, log: `sqlite:${path}` })
  }

  async close(): Promise<void> {
    await this.#last?.kill().catch(() => {})
  }

  /** @returns whether all services had started when the end came */
  async #liveAndDie(): Promise<boolean> {
    const random = this.#random
    const diesStarting = random.chance(START_SHARE)
    const startMs = random.between(0, START_MS)
    const lifeMs = random.chance(SOON_SHARE) ? random.between(2, SOON_MS) : random.between(SOON_MS, this.#longestLifeMs)
    const isObserved = random.chance(OBSERVED_SHARE)
    const life = new Life([...this.flags, 'up'], this.#env)
    const runs = await Promise.race([
      life.runs.then(() => true),
      ...(diesStarting ? [wait(startMs, false)] : []),
      life.ended.then(({ stderr }) => Promise.reject(new Error(`obstream ended by itself:\n${stderr}`))),
    ])
    const leave = runs && isObserved ? await this.#observer.watch(openFile(this.#path)) : undefined
    if (runs) await wait(lifeMs)
    await life.kill()
    await leave?.()
    return runs
  }

  /** None when the first kill came before the log was created. */
  async #takeMarks(): Promise<readonly Mark[]> {
    if (!existsSync(this.#path)) return []
    const folder = mkdtempSync(join(tmpdir(), 'obstream-mark-'))
    try {
      return await takeMarks(copyLog(this.#path, folder))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

const openFile = (path: string) => openSqliteLog({ path, clock: systemClock, partitions: 1 })
