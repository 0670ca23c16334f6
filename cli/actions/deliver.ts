import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { Standing } from '#lib/commands/standing.ts'
import { type Answer, findMessages, handOf, type LedgerPlace, sendByHand, sendOnce } from '#lib/delivery/by-hand.ts'
import { isMessageId, parseDryRun } from '#lib/delivery/dry-run-file.ts'
import { isAccepted, obsoleteBy } from '#lib/delivery/next-step.ts'
import { Outlets } from '#lib/delivery/outlets.ts'
import { Pacers } from '#lib/delivery/pacer.ts'
import { type ExitCode, isObstreamError, ObstreamError } from '#lib/errors.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { topics } from '#lib/topics.ts'
import type { DeliverFlags } from '../deliver.ts'
import { errorText } from '../error-text.ts'
import type { AuthorFlags } from '../flags.ts'
import type { CommandRun } from '../program.ts'
import type { Session } from '../session.ts'
import { answerJson, answerText, refusalOf } from './answer-text.ts'
import { channelNamed } from './channels.ts'
import { atDesk, authorOf, noTarget, type OperatorDesk, say } from './operator.ts'

/** A message that is asked for. */
interface Wanted {
  readonly messageId: string
  readonly channel: string
  /** As the ledger or the file has it; `null`: it was held back. */
  readonly body: string | null
  /** `null`: it was decided in a dry run only. */
  readonly place: LedgerPlace | null
}

/** What became of it; without an answer nothing was sent. */
interface Done {
  readonly wanted: Wanted
  readonly answer: (Answer & { readonly attempt?: number }) | null
  readonly error: ObstreamError | null
}

/**
 * `obstream deliver`. What the ledger holds as decided is sent as its next attempt; what only a dry run has decided leaves
 * the ledger alone, so that the courier still decides about it. The command itself is recorded before anything is sent.
 */
export const deliver: CommandRun<readonly [string, DeliverFlags]> = (session, idOrFile, flags) =>
  atDesk(session, 'deliver', flags, async (desk) => {
    const { env } = desk
    const wanted = await lookUp(session, env, idOrFile, flags.channel)
    const standing = await desk.commands.standing()
    const judge = flags.force === true ? lack : unfitness
    const unfit = new Map(wanted.map((each) => [each, anotherBody(each, standing) ?? judge(each)]))
    const sends = wanted.filter((each) => !unfit.get(each)).map(({ channel }) => channelNamed(env.config, channel).name)
    session.loadConfig({ alertConfigPath: flags.alertConfig, sends, warns: false })
    const outlets = new Outlets(env.config)
    const send = sending(desk, outlets, { ...authorOf(session, flags), insists: flags.force === true })
    try {
      const done: Done[] = []
      for (const each of wanted) {
        const error = unfit.get(each) ?? null
        done.push(error ? { wanted: each, answer: null, error } : await send(each))
      }
      return sumUp(session, done)
    } finally {
      await outlets.close()
    }
  })

async function lookUp(
  { dataDir }: Session,
  env: Environment,
  idOrFile: string,
  channel: string | undefined,
): Promise<readonly Wanted[]> {
  const asked = isMessageId(idOrFile) ? null : parseDryRun(readText(resolve(dataDir, idOrFile)), idOrFile)
  const ids = new Set(asked?.map(({ messageId }) => messageId) ?? [idOrFile])
  const known = await findMessages(env.log, codecOf(env, topics.delivery), ids)
  const wanted: readonly Wanted[] = asked
    ? asked.map((entry) => ({ ...entry, place: known.get(entry.messageId) ?? null }))
    : [...known.values()].map((place) => ({ ...place.message.decision, place }))
  const chosen = wanted.filter((each) => channel === undefined || each.channel === channel)
  if (chosen.length > 0) return chosen
  throw noMessage(idOrFile, channel, wanted)
}

function noMessage(idOrFile: string, channel: string | undefined, there: readonly Wanted[]): ObstreamError {
  if (there.length === 0 && isMessageId(idOrFile))
    return new ObstreamError(
      'OBS_COMMAND_NO_TARGET',
      `no message in the log has the id ${idOrFile}; the ids stand in \`obstream status\`, \`obstream explain <alert-id>\` and the header webhook-id`,
    )
  const to = channel === undefined ? '' : ` to ${channel}`
  const present = new Map(there.map((each) => [each.channel, each.messageId]))
  return noTarget(`${idOrFile} names no message${to}`, channel ?? idOrFile, 'messages in it', present)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ObstreamError(
      'OBS_INPUT_MISSING',
      `${path} is no message id (msg_ and 32 hexadecimal digits) and no file that can be read (${code})`,
      { cause: error },
    )
  }
}

/** A file that was changed since it was sent. What the ledger holds as decided has the body that it has there. */
function anotherBody({ messageId, channel, body, place }: Wanted, standing: Standing): ObstreamError | null {
  const sent = standing.bodySentByHand(messageId)
  if (place || body === null || sent === null || sent === sha256Hex(body)) return null
  return unfit(`${channel} was sent ${messageId} with another body by hand, and one id never has two`)
}

/** Why a message cannot be sent, whatever anybody wants. */
function lack({ messageId, channel, body, place }: Wanted): ObstreamError | null {
  const decision = place?.message.decision
  if (decision && !decision.send)
    return unfit(`${messageId} was held back from ${channel}, so it has no body: ${decision.reason}`)
  if (decision && (decision.body !== body || decision.channel !== channel))
    return unfit(
      `${messageId} was decided with another body since the dry run, and one id never has two; \`obstream deliver ${messageId}\` sends that`,
    )
  return null
}

/** Why a message should not be sent. */
function unfitness(wanted: Wanted): ObstreamError | null {
  const { messageId, channel, place } = wanted
  const without = lack(wanted)
  if (without || !place) return without
  if (isAccepted(place.message))
    return unfit(`${channel} has accepted ${messageId} already; --force sends it all the same`)
  const newer = newerAccepted(place)
  if (newer !== undefined)
    return unfit(`${channel} is told ${newer} instead of ${messageId}; --force sends it all the same`)
  return null
}

/** What the channel has heard of the same alert after this: an opening sent now would open what has ended. */
function newerAccepted({ ledger, message }: LedgerPlace): string | undefined {
  return obsoleteBy(message, ledger.laneWith(message))?.decision.subject
}

const unfit = (message: string): ObstreamError => new ObstreamError('OBS_DELIVERY_UNFIT', message)

/** What sends one message; to a receiver only so often. */
function sending(
  desk: OperatorDesk,
  outlets: Outlets,
  { insists, ...author }: AuthorFlags & { readonly insists: boolean },
): (wanted: Wanted) => Promise<Done> {
  const { clock, config } = desk.env
  const pacers = new Pacers(clock)
  const { signal } = new AbortController()
  return async (wanted) => {
    const { messageId, channel, body, place } = wanted
    const sender = outlets.sender(channel)!
    const commandId = await say(desk, author, { type: 'deliver', messageId, channel, bodySha256: sha256Hex(body!) })
    const courier = handOf(commandId, author)
    const send = (): Promise<Answer> =>
      place
        ? sendByHand(place, { clock, sender, courier, insists, retryWaitMs: config.delivery.retryWaitMs })
        : sendOnce(sender, { messageId, body }, clock)
    try {
      const answer = (await pacers.inTurn(sender.paceKey, { intervalMs: sender.intervalMs, signal }, send))!
      return { wanted, answer, error: refusalOf(channel, answer) }
    } catch (error) {
      if (isObstreamError(error, 'OBS_DELIVERY_UNDER_WAY')) return { wanted, answer: null, error }
      throw error
    }
  }
}

/** What was sent and failed decides how the command ends; what was not sent only when nothing was. */
function sumUp({ terminal }: Session, done: readonly Done[]): ExitCode | undefined {
  const isNothingSent = done.every(({ answer }) => !answer)
  const faults: ObstreamError[] = []
  for (const { wanted, answer, error } of done) {
    if (answer) terminal.note(`${wanted.channel} answered ${answerText(answer)} to ${wanted.messageId}`)
    if (error && !answer && !isNothingSent) terminal.warn(error.message)
    else if (error) faults.push(error)
  }
  for (const fault of faults) terminal.error(errorText(fault))
  const [first] = faults
  terminal.summary({
    status: first ? 'error' : 'ok',
    messages: done.map(messageJson),
    ...(first ? { error_code: first.code, error_message: first.message } : {}),
  })
  return first?.exitCode
}

function messageJson({ wanted, answer, error }: Done): object {
  const { messageId, channel, place } = wanted
  return {
    message_id: messageId,
    channel,
    subject: place?.message.decision.subject ?? null,
    attempt: answer?.attempt ?? null,
    ...(answer ? answerJson(answer) : { result: 'not_sent' }),
    ...(error ? { error_code: error.code } : {}),
  }
}
