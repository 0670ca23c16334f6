/**
 * Every error obstream can end with. A code is public and never changes its meaning; `docs/errors.md` is written from
 * this table.
 *
 * - `exitCode`: of a command that ends with it (sysexits.h).
 * - `retryable`: whether doing the same again, unchanged, may succeed.
 * - `means`: for the person who meets it: what happened and what to do.
 */
export interface ErrorKind {
  readonly exitCode: ExitCode
  readonly retryable: boolean
  readonly means: string
}

export const exitCodes = {
  ok: 0,
  usage: 64,
  badData: 65,
  missingInput: 66,
  unavailable: 69,
  internal: 70,
  cannotCreate: 73,
  io: 74,
  tryAgain: 75,
  configuration: 78,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const kind = (exitCode: ExitCode, means: string): ErrorKind => ({ exitCode, retryable: false, means })
const transient = (exitCode: ExitCode, means: string): ErrorKind => ({ exitCode, retryable: true, means })

export const errorCatalogue = {
  OBS_CLI_USAGE: kind(
    64,
    'The command line is wrong. `obstream <command> --help` shows what is possible, with examples.',
  ),
  OBS_CLI_INTERRUPTED: transient(
    75,
    'The command was told to stop (Ctrl-C, SIGTERM) before it was done. Nothing is lost: start it again, and it goes on.',
  ),
  OBS_COMMAND_NO_TARGET: kind(
    65,
    'The alert, silence, channel or message that a command names is not there, or no longer open. Nothing was sent or recorded; the message lists what there is, the most similar first.',
  ),
  OBS_CONFIG_INVALID: kind(
    78,
    'The configuration has faults; each is listed with file, line, key, value and what to write instead. Nothing was started.',
  ),
  OBS_CONFIG_NOT_FOUND: kind(
    78,
    'There is no configuration file at that path. `obstream init` writes a commented one.',
  ),
  OBS_DELIVERY_REFUSED: kind(
    78,
    'The receiver of a channel will not take what is sent to it, or our own policy does not let it out; the message says what it answered and what to mend.',
  ),
  OBS_DELIVERY_PENDING: transient(
    75,
    'A run ends with messages that no receiver has taken yet; the next run tries them again. Files are written all the same.',
  ),
  OBS_DELIVERY_UNAVAILABLE: transient(
    69,
    'The receiver of a channel has not taken a message, and may take it later: no connection, no answer, or a fault of its own.',
  ),
  OBS_DELIVERY_UNFIT: kind(
    65,
    'A message is not sent again: it was accepted already, something newer about its alert was, or it was held back and has no body. Nothing was sent; `--force` sends what has one.',
  ),
  OBS_DELIVERY_UNDER_WAY: transient(
    75,
    'A courier is sending the message at this moment. `obstream status` shows how it went; then try again.',
  ),
  OBS_HTTP_CANNOT_LISTEN: kind(
    69,
    'The page and health endpoints cannot listen on their address: another process has the port, or the address is not of this machine.',
  ),
  OBS_INPUT_MISSING: kind(
    66,
    'A file named on the command line or in the configuration does not exist or cannot be read.',
  ),
  OBS_ALERT_UNKNOWN: kind(
    65,
    'No alert has the id that the command names; the message lists the newest. Ids stand in messages, in `obstream status` and in `obstream tail alert`.',
  ),
  OBS_INPUT_INVALID: kind(65, 'An input file is not what it should be; the message names line and column.'),
  OBS_IMPORT_TOO_OLD: kind(
    65,
    'The log already knows a later time than the first row. Import into a fresh data directory.',
  ),
  OBS_ARTEFACT_CANNOT_CREATE: kind(73, 'An artefact cannot be created: permission or path.'),
  OBS_ARTEFACT_IO: kind(74, 'Writing an artefact failed: disk full or a failing disk. The old file is untouched.'),
  OBS_JOB_BEHIND: transient(
    75,
    'A job waited for a service that has not come to its cut; the message names it. Start it or wait, then try again.',
  ),
  OBS_JOB_NO_TICK: transient(
    75,
    'A job has no cut: no clock tick has been recorded yet. Ticks begin when the sampler runs.',
  ),
  OBS_LOG_ACCESS_DENIED: kind(
    78,
    'Kafka does not let us in or refuses a topic or group: user, password, certificate or access rights are wrong.',
  ),
  OBS_LOG_BATCH_TOO_LARGE: kind(65, 'One append is larger than a batch may be (1 MiB). Nothing was appended.'),
  OBS_LOG_BUSY: transient(75, 'Another process kept the log locked for 10 s.'),
  OBS_LOG_CORRUPT: kind(65, 'A batch of the log fails its CRC32C or cannot be parsed. Restore the log from a backup.'),
  OBS_LOG_FACT_CHANGED: kind(
    70,
    'Two records of a derived topic have one key and different bytes. A fold is not deterministic, or two versions wrote the same fact.',
  ),
  OBS_LOG_GROUP_HELD: transient(75, 'Another process runs this service on this log.'),
  OBS_LOG_HISTORY_CHANGED: kind(
    65,
    'The input of a fold is not the one its output was made from: a topic was truncated or created anew. Restore it, or start a new log.',
  ),
  OBS_LOG_IO: kind(
    74,
    'Writing or reading the log failed: disk full or a failing disk. What was acknowledged before is safe; free space and start again.',
  ),
  OBS_LOG_NULL_VALUE: kind(65, 'A record has no value. No topic of obstream has such records.'),
  OBS_LOG_OFFSET_EXPIRED: kind(65, 'The asked offset lies before the oldest record that is still kept.'),
  OBS_LOG_OUTCOME_UNKNOWN: transient(
    75,
    'It is not known whether an append landed. The service starts again from its own output.',
  ),
  OBS_LOG_REFUSED: transient(
    75,
    'Kafka refused an append, so it certainly did not land; most often too few replicas are in sync. The service starts again from its own output.',
  ),
  OBS_LOG_TOPIC_MISSING: kind(69, 'A topic does not exist. `obstream topics apply` creates the catalogue.'),
  OBS_LOG_TOPIC_DIFFERS: kind(
    65,
    'A topic is not set up as the catalogue says. `obstream topics check` prints the differences, `apply` corrects what can be corrected.',
  ),
  OBS_LOG_UNAVAILABLE: transient(69, 'The log cannot be reached.'),
  OBS_LOG_UNSUPPORTED: kind(
    78,
    'The log URL names something obstream cannot use: an unknown scheme, or a SQLite file on a network file system.',
  ),
  OBS_MATCHER_INVALID: kind(
    64,
    'A matcher cannot be read, or a silence would match everything; the message names the place and what to write instead.',
  ),
  OBS_RECORD_INVALID: kind(
    65,
    'A record cannot be decoded or does not fit its schema. It is in the dead letter topic with its bytes.',
  ),
  OBS_REGISTRY_ACCESS_DENIED: kind(
    78,
    'The schema registry does not let us in, or refuses what we ask: user, password or rights are wrong.',
  ),
  OBS_REGISTRY_INCOMPATIBLE: kind(
    65,
    'A schema cannot read what was written with one before it; the message names the field. Give the field a default, or make a new topic.',
  ),
  OBS_REGISTRY_UNAVAILABLE: transient(69, 'The schema registry cannot be reached or does not know the id yet.'),
  OBS_REPLAY_DIFFERENT: kind(65, 'Recorded, live and rebuilt bytes of an artefact differ; the certificate says which.'),
  OBS_RUNTIME_UNEXPECTED: kind(
    70,
    'A fault in obstream itself. The log is intact; please report the message and the log lines before it.',
  ),
  OBS_RUNTIME_STOP_TIMEOUT: kind(70, 'A part did not stop within its time. Nothing acknowledged is lost.'),
  OBS_SAMPLER_CLOCK: kind(
    70,
    'The clock of this machine cannot be right: it jumped, or is behind the last tick or off the log. Ticks stopped so that no window closes by a wrong time.',
  ),
  OBS_SIGNATURE_INVALID: kind(
    65,
    'A message does not carry a signature of ours that fits it, or is too old or too new: it was changed, signed with another secret, or sent again. Do not act on it.',
  ),
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof errorCatalogue

/** An error with a code of the catalogue. `message` says what failed, with which value, and what to change. */
export class ObstreamError extends Error {
  readonly code: ErrorCode
  override readonly name = 'ObstreamError'

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  get retryable(): boolean {
    return errorCatalogue[this.code].retryable
  }

  get exitCode(): ExitCode {
    return errorCatalogue[this.code].exitCode
  }
}

/** Whether `error` is an `ObstreamError`, with that code if one is given. */
export function isObstreamError(error: unknown, code?: ErrorCode): error is ObstreamError {
  return error instanceof ObstreamError && (code === undefined || error.code === code)
}
