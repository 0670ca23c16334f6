import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** The flags of Node that the first line of `obstream` names: a benchmark runs as the product does. */
const flags = readFileSync(new URL('../bin/obstream.mjs', import.meta.url), 'utf8')
  .split('\n', 1)[0]!
  .match(/--\S+/g)!

/** A process of its own, so that its memory and CPU time are its own. */
export interface Child<Result> {
  readonly pid: number
  /** What it printed on stdout, read as JSON, once it has ended. @throws Error when it ended badly */
  readonly result: Promise<Result>
  end(): void
}

/** Starts a file of the benchmark; `end` is SIGTERM. */
export function startChild<Result>(file: URL, args: readonly string[]): Child<Result> {
  const child = spawn(process.execPath, [...flags, file.pathname, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const result = once(child, 'close').then(([code, signal]: (number | string | null)[]) => {
    if (code !== 0) throw new Error(`${file.pathname} ended with ${code ?? signal}`)
    return JSON.parse(text) as Result
  })
  return { pid: child.pid!, result, end: () => void child.kill('SIGTERM') }
}

/** The same for one that ends by itself. @returns what it printed on stdout, read as JSON */
export function runChild<Result>(file: URL, args: readonly string[]): Promise<Result> {
  return startChild<Result>(file, args).result
}
