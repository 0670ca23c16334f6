import { Writable } from 'node:stream'
import type { CliContext } from '#cli/session.ts'
import { systemClock } from '#lib/runtime/clock.ts'

/** A stream that keeps what is written to it. */
export class CapturedText extends Writable {
  text = ''

  override _write(piece: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += piece.toString('utf8')
    done()
  }
}

/** A process for a command to run in, without a terminal and without variables. */
export function capturedContext(): {
  readonly context: CliContext
  readonly stdout: CapturedText
  readonly stderr: CapturedText
} {
  const stdout = new CapturedText()
  const stderr = new CapturedText()
  return { stdout, stderr, context: { stdout, stderr, env: {}, cwd: '/', clock: systemClock } }
}
