import { CommanderError } from 'commander'
import type { ExitCode } from '#lib/errors.ts'
import { errorCatalogue, exitCodes, isObstreamError, ObstreamError } from '#lib/errors.ts'
import { ConfigError } from '#lib/runtime/config-faults.ts'
import { createLogger } from '#lib/runtime/logger.ts'
import { errorText } from './error-text.ts'
import type { CliContext } from './session.ts'
import { Terminal } from './terminal.ts'

/**
 * Tells of the error that ended a command: text on stderr and, with `--json`, the same as an object on stdout. What
 * nobody foresaw is told by its message only; its stack goes to the logger.
 *
 * @returns the command's exit code
 */
export function reportFailure(context: CliContext, error: unknown, json: boolean): ExitCode {
  if (error instanceof CommanderError) return reportUsage(context, error, json)
  const known = isObstreamError(error) ? error : unexpected(context, error)
  const terminal = new Terminal(context, { quiet: false, json })
  terminal.error(errorText(known))
  if (json) terminal.summary(failureSummary(known))
  return known.exitCode
}

function unexpected(context: CliContext, error: unknown): ObstreamError {
  createLogger({ service: 'obstream', clock: context.clock, sink: context.stderr }).error({ error }, 'unexpected fault')
  const message = Error.isError(error) ? error.message : String(error)
  return new ObstreamError(
    'OBS_RUNTIME_UNEXPECTED',
    `unexpected fault: ${message}. ${errorCatalogue.OBS_RUNTIME_UNEXPECTED.means}`,
  )
}

function failureSummary(error: ObstreamError): object {
  const faults = error instanceof ConfigError ? { faults: error.faults } : {}
  return { status: 'error', error_code: error.code, error_message: error.message, ...faults }
}

/** Commander has written its text already, and calls help and version errors too. */
function reportUsage(context: CliContext, error: CommanderError, json: boolean): ExitCode {
  if (error.exitCode === 0) return exitCodes.ok
  const usage = new ObstreamError('OBS_CLI_USAGE', error.message.replace(/^error: /, ''))
  if (json) new Terminal(context, { quiet: false, json }).summary(failureSummary(usage))
  return usage.exitCode
}
