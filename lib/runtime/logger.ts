import type { Logger } from 'pino'
import { pino } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { isObstreamError } from '#lib/errors.ts'
import type { Clock } from './clock.ts'

export type { Logger } from 'pino'

/** Where lines go: `process.stderr`, or anything else that takes text. */
export interface LineSink {
  write(line: string): unknown
}

export interface LoggerOptions {
  readonly service: string
  readonly clock: Clock
  /** Least severe level written; default `info`. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error'
  readonly sink: LineSink
  /** For people at a terminal instead of one JSON object a line. */
  readonly pretty?: { readonly colour: boolean }
  /**
   * Values that must appear nowhere; at least 4 characters each, shorter ones are not looked for. Asked for each line, since
   * a configuration that is read again may name others: another list when they are others.
   */
  readonly secrets?: () => readonly string[]
}

const ECS_VERSION = '8.17.0'

/**
 * The logger of a process: one JSON object a line with the names of the Elastic Common Schema (`@timestamp`, `log.level`,
 * `message`, `service.name`, `event.*`, `error.*`). Errors go under the key `error`.
 *
 * Secrets are taken out of the finished line, so it does not matter whether one stood in a message, a URL or a stack.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { service, clock, level = 'info' } = options
  return pino(
    {
      level,
      base: { 'ecs.version': ECS_VERSION, 'service.name': service },
      messageKey: 'message',
      errorKey: 'error',
      timestamp: () => `,"@timestamp":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ 'log.level': label }) },
      serializers: { error: describeError },
    },
    hideSecrets(
      options.secrets ?? (() => []),
      options.pretty ? prettySink(options.sink, options.pretty.colour) : options.sink,
    ),
  )
}

/** An error in the words of the Elastic Common Schema, its causes within. Other thrown things become their text. */
export function describeError(error: unknown): object {
  if (!Error.isError(error)) return { type: typeof error, message: String(error) }
  const code = isObstreamError(error) ? error.code : (error as NodeJS.ErrnoException).code
  return {
    type: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack_trace: error.stack }),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  }
}

const HIDDEN = '[hidden]'
const SHORTEST_SECRET = 4

function hideSecrets(secrets: () => readonly string[], sink: LineSink): LineSink {
  let known: readonly string[] = []
  let forms: readonly string[] = []
  return {
    write(line) {
      if (known !== secrets()) forms = formsOf(secrets())
      known = secrets()
      sink.write(forms.reduce((text, form) => text.replaceAll(form, HIDDEN), line))
    },
  }
}

/** Every form in which a line can hold a secret: as JSON writes it, and as a URL does. */
function formsOf(secrets: readonly string[]): readonly string[] {
  return secrets
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .flatMap((secret) => [JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret.toWellFormed())])
    .toSorted((a, b) => b.length - a.length)
}

function prettySink(sink: LineSink, colour: boolean): LineSink {
  const format = prettyFactory({
    colorize: colour,
    messageKey: 'message',
    errorLikeObjectKeys: ['error'],
    timestampKey: '@timestamp',
    translateTime: 'HH:MM:ss',
    levelKey: 'log\\.level',
    ignore: 'ecs\\.version,service\\.name',
    messageFormat: '[{service\\.name}] {message}',
  })
  return { write: (line) => sink.write(format(line)) }
}
