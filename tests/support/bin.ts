import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export const BIN = fileURLToPath(new URL('../../bin/obstream.mjs', import.meta.url))

export interface BinOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** The Node that a user's shell finds; default the one that runs the tests. */
  readonly node?: string
  /** A command that runs it, as `strace` does; default none. */
  readonly under?: readonly string[]
  /** Default: nothing is read from it. */
  readonly stdin?: 'pipe'
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export function startBin(
  args: readonly string[],
  { cwd, env = {}, node = process.execPath, under = [], stdin }: BinOptions = {},
): ChildProcess {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('OBS_') && name !== 'NODE_OPTIONS'),
  )
  const [program, ...rest] = [...under, node, BIN, ...args]
  return spawn(program!, rest, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...inherited, ...env },
    stdio: [stdin ?? 'ignore', 'pipe', 'pipe'],
  })
}

/** The real command in a process of its own, to its end. */
export async function runBin(args: readonly string[], options: BinOptions = {}): Promise<Ended> {
  const child = startBin(args, options)
  let stdout = ''
  let stderr = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, stdout, stderr }
}
