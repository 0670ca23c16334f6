import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../../bin/obstream.mjs', import.meta.url))
/** What `up` and `serve` say when all their services have started. */
const RUNS = / runs; http/

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The real command, in a process of its own, from its start to its end. */
export class Life {
  /** Resolves when the process says that all its services have started; never, when it ends before. */
  readonly runs: Promise<void>
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  #stdout = ''
  #stderr = ''

  /** @param env secrets, beside what is inherited */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !name.startsWith('OBS_') && name !== 'NODE_OPTIONS',
    )
    this.#child = spawn(process.execPath, [BIN, ...args], {
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.ended = this.#end()
    this.runs = this.#listen()
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    const { signal, code, stderr } = await this.ended
    if (signal !== 'SIGKILL')
      throw new Error(`obstream ended by itself with ${code ?? signal} before it was killed:\n${stderr}`)
  }

  /** What it has told people so far. */
  get stderr(): string {
    return this.#stderr
  }

  /** Freezes it: to the others it looks dead. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  /** It goes on as if nothing had been. */
  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** As Ctrl-C or a service manager would. */
  async stop(): Promise<Ended> {
    this.#child.kill('SIGTERM')
    return await this.ended
  }

  async #end(): Promise<Ended> {
    const [code, signal] = (await once(this.#child, 'close')) as [number | null, NodeJS.Signals | null]
    return { code, signal, stdout: this.#stdout, stderr: this.#stderr }
  }

  #listen(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
        this.#stdout += text
      })
      this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        this.#stderr += text
        if (RUNS.test(this.#stderr)) resolve()
      })
    })
  }
}
