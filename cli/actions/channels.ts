import { CommandTopic } from '#lib/commands/command-topic.ts'
import type { ChannelConfig, Config } from '#lib/config.ts'
import type { Sendable, Sender } from '#lib/delivery/attempt.ts'
import { type Answer, sendOnce } from '#lib/delivery/by-hand.ts'
import { messageName } from '#lib/delivery/message-name.ts'
import { Outlets } from '#lib/delivery/outlets.ts'
import { isObstreamError } from '#lib/errors.ts'
import { joinKey } from '#lib/keys.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { codecOf } from '#lib/runtime/environment.ts'
import { timeOrderedId } from '#lib/runtime/ids.ts'
import type { LoadedConfig } from '#lib/runtime/load-config.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { composeTest } from '#services/alerter/messages/test-message.ts'
import type { ChannelsRuns } from '../channels.ts'
import { errorText } from '../error-text.ts'
import type { AuthorFlags } from '../flags.ts'
import type { Session } from '../session.ts'
import { table } from '../terminal.ts'
import { answerJson, answerText, refusalOf } from './answer-text.ts'
import { closedChannels, closedWords } from './closed-channels.ts'
import { openExistingLoaded } from './desk.ts'
import { atDesk, authorOf, noTarget, type OperatorDesk } from './operator.ts'

type ChannelState = 'ready' | 'secrets missing' | 'closed'

/** `obstream channels list`: from the configuration, and from the log, when there is one, which of them are closed. */
export const listChannels: ChannelsRuns['list'] = async (session, { alertConfig }) => {
  const loaded = session.loadConfig({ alertConfigPath: alertConfig })
  const { channels } = loaded.config
  const closed = await closedOnLog(session, loaded)
  if (session.terminal.json)
    session.terminal.summary({ channels: channels.map((channel) => channelJson(channel, loaded.config, closed)) })
  else if (channels.length === 0)
    session.terminal.note('there are no channels; obstream.yaml names them under `channels`')
  else {
    const rows = channels.map((channel) => channelRow(channel, loaded.config, closed))
    for (const line of table([['channel', 'kind', 'routes', 'state'], ...rows])) session.terminal.print(line)
  }
  return undefined
}

/** A log that cannot be read keeps nobody from seeing what is configured. */
async function closedOnLog(session: Session, loaded: LoadedConfig): Promise<ReadonlyMap<string, Instant>> {
  try {
    const env = await openExistingLoaded(session, loaded, { service: 'channels' })
    try {
      return await closedChannels(env, await new CommandTopic(env.log, codecOf(env, topics.command)).standing())
    } finally {
      await env.close()
    }
  } catch (error) {
    if (!isObstreamError(error)) throw error
    if (error.code !== 'OBS_INPUT_MISSING')
      session.terminal.warn(`which channels are closed is not known: ${errorText(error)}`)
    return new Map()
  }
}

function channelJson(channel: ChannelConfig, config: Config, closed: ReadonlyMap<string, Instant>): object {
  const { name, kind } = channel
  const since = closed.get(name)
  return {
    name,
    kind,
    routes: routesTo(name, config),
    secrets: isReady(channel) ? 'set' : 'not set',
    state: stateOf(channel, closed),
    closed_at: since === undefined ? null : formatInstant(since),
  }
}

function channelRow(channel: ChannelConfig, config: Config, closed: ReadonlyMap<string, Instant>): readonly string[] {
  const { name, kind } = channel
  const since = closed.get(name)
  const state = since === undefined ? stateOf(channel, closed) : closedWords(name, since)
  return [name, kind, routesTo(name, config).join(', ') || '–', state]
}

function stateOf(channel: ChannelConfig, closed: ReadonlyMap<string, Instant>): ChannelState {
  if (closed.has(channel.name)) return 'closed'
  return isReady(channel) ? 'ready' : 'secrets missing'
}

function routesTo(channel: string, { routes, delivery }: Config): readonly string[] {
  const named = Object.entries(routes).filter(([, channels]) => channels.includes(channel))
  return [...named.map(([route]) => route), ...(delivery.fallback === channel ? ['fallback'] : [])]
}

function isReady({ kind, url, secret }: ChannelConfig): boolean {
  return url !== null && (secret !== null || kind === 'slack')
}

/** The channel of that name. @throws OBS_COMMAND_NO_TARGET */
export function channelNamed({ channels }: Config, name: string): ChannelConfig {
  const channel = channels.find((candidate) => candidate.name === name)
  if (channel) return channel
  const present = new Map(channels.map((candidate) => [candidate.name, candidate.kind]))
  throw noTarget(`there is no channel ${name}`, name, 'channels', present)
}

/** `obstream channels test`: what the receiver answers is recorded, whatever it is. */
export const testChannel: ChannelsRuns['test'] = (session, name, flags) =>
  atDesk(session, 'channels', { ...flags, sends: [name] }, async (desk) => {
    const channel = channelNamed(desk.env.config, name)
    const closedAt = (await closedChannels(desk.env, await desk.commands.standing())).get(name)
    const { messageId, commandId, answer } = await test(session, desk, channel, authorOf(session, flags))
    const refusal = refusalOf(name, answer)
    const isPutBack = closedAt !== undefined && !refusal
    if (refusal) session.terminal.error(errorText(refusal))
    if (isPutBack) session.terminal.note(`${name}, closed since ${formatInstant(closedAt)}, is back in use`)
    session.terminal.summary({
      status: refusal ? 'error' : 'ok',
      channel: name,
      kind: channel.kind,
      ...answerJson(answer),
      put_back: isPutBack,
      message_id: messageId,
      command_id: commandId,
      ...(refusal ? { error_code: refusal.code, error_message: refusal.message } : {}),
    })
    return refusal?.exitCode
  })

/** A test of PagerDuty opens an incident and ends it. */
const PARTS = ['trigger', 'resolve']

interface Tested {
  readonly messageId: string
  readonly commandId: string
  readonly answer: Answer
}

async function test(
  { terminal }: Session,
  { env: { clock, config }, commands }: OperatorDesk,
  channel: ChannelConfig,
  { by, reason }: AuthorFlags,
): Promise<Tested> {
  const { name, configSha256 } = channel
  const at = clock.now()
  const commandId = timeOrderedId(at)
  const { messageId } = messageName(config.env, joinKey('test', commandId), name)
  const messages = composeTest(channel, { channel: name, by, at }, config).map(({ body }) => ({ messageId, body }))
  const outlets = new Outlets(config)
  try {
    const answers = await sendAll(outlets.sender(name)!, messages, clock)
    for (const [i, answer] of answers.entries())
      terminal.note(`${name} answered ${answerText(answer)}${messages.length > 1 ? ` to ${PARTS[i]}` : ''}`)
    if (answers.length > 1 && answers[1]!.result !== 'accepted')
      terminal.warn(`the test may have left an incident open on ${name}; resolve it there`)
    const answer = answers.find(({ result }) => result !== 'accepted') ?? answers[0]!
    const accepted = answer.result === 'accepted'
    const tested = { type: 'channel_test', channel: name, channelConfig: configSha256, accepted } as const
    await commands.append(commandId, { ...tested, at, by, reason })
    return { messageId, commandId, answer }
  } finally {
    await outlets.close()
  }
}

/** One after the other, as long as what came before has or may have arrived. */
async function sendAll(sender: Sender, messages: readonly Sendable[], clock: Clock): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  for (const message of messages) {
    const answer = await sendOnce(sender, message, clock)
    answers.push(answer)
    if (answer.result !== 'accepted' && answer.result !== 'unknown') break
  }
  return answers
}
