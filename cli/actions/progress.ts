import { SingleBar } from 'cli-progress'
import type { Terminal } from '../terminal.ts'

export interface Progress {
  /** `phase` is a word for people; a new one starts the bar anew. */
  update(phase: string, done: number, total: number): void
  stop(): void
}

/** A progress bar on stderr, where people watch; elsewhere nothing. */
export function showProgress(terminal: Terminal, unit: string): Progress {
  if (!terminal.isInteractive) return { update: () => {}, stop: () => {} }
  const bar = new SingleBar({
    format: `{phase} [{bar}] {percentage} % of {total} ${unit}, {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
  })
  let phase = ''
  return {
    update(next, done, total) {
      if (next === phase) return bar.update(done)
      phase = next
      bar.start(total, done, { phase })
    },
    stop: () => bar.stop(),
  }
}
