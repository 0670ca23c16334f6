import type { Environment } from '#lib/runtime/environment.ts'
import type { Random } from '../random.ts'
import type { Evidence } from './evidence.ts'
import type { Fault } from './fault.ts'

/** An obstream that is hurt while it works. Logs differ in what can be hurt, and in nothing else. */
export interface Patient {
  /** Flags of every command that works on it: where its data and its log are. */
  readonly flags: readonly string[]
  /** Hurts it once. @returns what was done, for a table: `SIGKILL while starting` */
  hurt(): Promise<string>
  /** Resolves when all of it runs. Nobody hurts it any more. */
  heal(): Promise<void>
  /** Stops it as a service manager would. @returns whoever did not end well, then or before */
  stop(): Promise<readonly Fault[]>
  /** What its processes have said last, for people. */
  said(): string
  /** What is known from outside about its log. */
  evidence(): Pick<Evidence, 'marks' | 'observed'>
  /** Opens its log, to look at it. */
  open(): Promise<Environment>
  /** Copies its log, which nobody writes any more. @returns path of a SQLite file in a folder of its own */
  copyLog(): Promise<string>
  /** Opens a copy, or a copy of it. */
  openCopy(path: string): Promise<Environment>
  /** Ends whatever is left of it and beside it. The files stay. */
  close(): Promise<void>
}

/** Where a patient lives, and the chance by which it is hurt. */
export interface Bed {
  readonly dataDir: string
  readonly random: Random
  /** Secrets of every process of it. */
  readonly env: Readonly<Record<string, string>>
}
