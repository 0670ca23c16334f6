import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A server on the JVM: what to run, and how to tell that it serves. */
export interface JavaServerOptions {
  /** For messages: `broker 1`. */
  readonly name: string
  /** Arguments of `java`. */
  readonly args: readonly string[]
  readonly cwd: string
  /** It serves when it prints this. */
  readonly readyWhen: RegExp
  readonly deadlineMs: number
}

/** How many of the last lines a failure shows. */
const LINES_KEPT = 30

/** The JVM dies with this process, however that ends. Only Linux can do it; elsewhere a SIGKILL leaves servers behind. */
const DIES_WITH_PARENT: readonly string[] =
  spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0 ? ['setpriv', '--pdeathsig', 'KILL'] : []

/** One server process, started, stopped and started again under the same arguments. */
export class JavaServer {
  readonly #options: JavaServerOptions
  #lines: string[] = []
  #child: ChildProcess | undefined

  constructor(options: JavaServerOptions) {
    this.#options = options
  }

  /** `undefined` while it is down. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves when it serves. @throws with its last lines, when it ends or the deadline passes before that */
  async start(): Promise<void> {
    const { name, args, cwd, readyWhen, deadlineMs } = this.#options
    if (this.#child !== undefined) throw new Error(`${name} runs already, as process ${this.pid}`)
    const [command, ...rest] = [...DIES_WITH_PARENT, 'java', ...args]
    const child = spawn(command!, rest, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    this.#lines = []
    const ready = Promise.withResolvers<void>()
    const fail = (what: string) =>
      ready.reject(new Error(`${name} ${what}; its last lines:\n${this.#lines.join('\n')}`))
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => {
        this.#lines.push(line)
        if (this.#lines.length > LINES_KEPT) this.#lines.shift()
        if (readyWhen.test(line)) ready.resolve()
      })
    child.once('error', (error) => fail(`could not be started (${error.message})`))
    child.once('close', (code, signal) => {
      this.#child = undefined
      fail(`ended with ${signal ?? `exit code ${code}`}`)
    })
    const deadline = setTimeout(() => fail(`did not serve within ${deadlineMs} ms`), deadlineMs)
    try {
      await ready.promise
    } catch (error) {
      await this.kill('SIGKILL')
      throw error
    } finally {
      clearTimeout(deadline)
    }
  }

  /** Resolves when the process has ended; at once when there is none. One that was asked kindly is killed after 20 s. */
  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const ended = once(child, 'close')
    child.kill(signal)
    child.kill('SIGCONT')
    const patience = setTimeout(() => child.kill('SIGKILL'), 20_000)
    await ended
    clearTimeout(patience)
  }

  /** Freezes it: connections stay open, nothing is answered. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }
}

/** Runs a Java program to its end. @throws with what it printed, when it fails */
export async function runJava(args: readonly string[], cwd: string): Promise<void> {
  const child = spawn('java', args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`java ${args.join(' ')} ended with exit code ${code}:\n${printed}`)
}
