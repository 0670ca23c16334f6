import { spawnSync } from 'node:child_process'

/** Why `strace` cannot be used here; `undefined` when it can. */
export function straceMissing(): string | undefined {
  const works = spawnSync('strace', ['-f', '-qq', '-e', 'trace=none', 'true']).status === 0
  return works ? undefined : 'strace cannot be run here (apt-get install strace; tracing must be allowed)'
}

/**
 * Lets calls that make data durable fail with EIO.
 *
 * @param from the first that fails, counted in each thread
 * @param path only those of this file or folder
 */
export function failingSyncs(from: number, path?: string): readonly string[] {
  const only = path === undefined ? [] : ['-P', path]
  return ['strace', '-f', '-qq', '-o', '/dev/null', ...only, '-e', `inject=fsync,fdatasync:error=EIO:when=${from}+`]
}
