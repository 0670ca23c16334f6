import { exitCodes } from '#lib/errors.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { reportFailure } from './exit.ts'
import { runCli } from './run-cli.ts'
import type { CliContext } from './session.ts'

const context: CliContext = {
  env: process.env,
  cwd: process.cwd(),
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

// bin/obstream.mjs on an older Node has started this and waits for it. Once that is gone nobody would: it ends as at SIGTERM.
if (process.channel && process.env['OBSTREAM_STARTED_BY'] === String(process.ppid)) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel.unref()
}

process.exitCode = await runCli(process.argv.slice(2), context)
