import type { Fault } from './fault.ts'
import { type Ended, Life } from './life.ts'

/** Longer than any part of a service may take to stop. */
const STOPS_WITHIN_MS = 30_000

/**
 * A command that is there to stay, such as `serve rollup`: started again whenever it ends, as a service manager does. That
 * it ends by itself is a fault.
 */
export class KeptService {
  readonly name: string
  readonly faults: Fault[] = []
  readonly #args: readonly string[]
  readonly #env: Readonly<Record<string, string>>
  #life: Life
  /** Whether the end of the life at hand is our doing. */
  #isOurs = false
  #isStopped = false

  /** Starts it. @param name for people */
  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.name = name
    this.#args = args
    this.#env = env
    this.#life = this.#begin()
  }

  /** What its present life has told people. */
  get stderr(): string {
    return this.#life.stderr
  }

  /** Resolves when it runs. */
  async runs(): Promise<void> {
    const life = this.#life
    await Promise.race([life.runs, life.ended])
    if (life !== this.#life) await this.runs()
  }

  /** SIGKILL; it starts again at once. */
  async kill(): Promise<void> {
    const life = this.#life
    this.#isOurs = true
    await life.kill()
  }

  pause(): void {
    this.#life.pause()
  }

  resume(): void {
    this.#life.resume()
  }

  /** SIGTERM, for good. */
  async stop(): Promise<void> {
    this.#isStopped = true
    const late = setTimeout(() => void this.#life.kill().catch(() => {}), STOPS_WITHIN_MS)
    const { code, signal, stderr } = await this.#life.stop()
    clearTimeout(late)
    if (code !== 0) this.#blame(`did not stop cleanly but with ${code ?? signal}`, stderr)
  }

  /** SIGKILL, for good. */
  async killForGood(): Promise<void> {
    this.#isStopped = true
    await this.kill()
  }

  #begin(): Life {
    const life = new Life(this.#args, this.#env)
    void life.ended.then((end) => this.#onEnd(end))
    return life
  }

  #onEnd({ code, signal, stderr }: Ended): void {
    if (this.#isStopped) return
    if (!this.#isOurs) this.#blame(`ended by itself with ${code ?? signal}`, stderr)
    this.#isOurs = false
    this.#life = this.#begin()
  }

  #blame(what: string, stderr: string): void {
    this.faults.push({ kind: 'process_ended', about: `${this.name} ${what}:\n${stderr}` })
  }
}
