import { exitCodes } from '#lib/errors.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { reportFailure } from './exit.ts'
import { runCli } from './run-cli.ts'
import type { CliContext } from './session.ts'

const context: CliContext = {
  env: process.env,
  cwd: process.cwd(),
  // Not touched unless a command asks for it: a terminal would stay in its hands.
  get stdin() {
    return process.stdin
  },
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
}

// The reader has gone, as in `obstream tail obs.sample.v1 | head`: nobody is left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.io),
)
// A terminal that was closed, or a reader of the lines that has gone, is no reason to stop measuring.
process.stderr.on('error', () => {})
process.on('uncaughtException', (error) => process.exit(reportFailure(context, error, false)))

process.exitCode = await runCli(process.argv.slice(2), context)
