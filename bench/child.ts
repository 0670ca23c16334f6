import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** The flags of Node that the first line of `obstream` names: a benchmark runs as the product does. */
const flags = readFileSync(new URL('../bin/obstream.mjs', import.meta.url), 'utf8')
  .split('\n', 1)[0]!
  .match(/--\S+/g)!

/**
 * Runs a file of the benchmark in a process of its own, so that its memory and CPU time are its own.
 *
 * @returns what it printed on stdout, read as JSON
 */
export async function runChild<Result>(file: URL, args: readonly string[]): Promise<Result> {
  const child = spawn(process.execPath, [...flags, file.pathname, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (code !== 0) throw new Error(`${file.pathname} ended with ${code ?? signal}`)
  return JSON.parse(text) as Result
}
