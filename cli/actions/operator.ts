import { userInfo } from 'node:os'
import { readOpenAlerts } from '#lib/alerts/open-alerts.ts'
import { CommandTopic } from '#lib/commands/command-topic.ts'
import { alertLabels, type Labels } from '#lib/commands/matching.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { Alert, CommandFact } from '#lib/facts.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { timeOrderedId } from '#lib/runtime/ids.ts'
import { topics } from '#lib/topics.ts'
import type { AuthorFlags, OptionalAuthorFlags } from '../flags.ts'
import { nearestFirst } from '../nearest.ts'
import type { Session } from '../session.ts'
import { type DeskRequest, openExistingDesk } from './desk.ts'

/** What an operator's command works with. */
export interface OperatorDesk {
  readonly env: Environment
  readonly commands: CommandTopic
  openAlerts(): Promise<readonly Alert[]>
  /** What the matchers of a silence see of an alert; labels of its source are those of the configuration. */
  labelsOf(alert: Alert): Labels
}

/**
 * Opens the log beside whatever runs on it, does the work, and closes it again.
 *
 * @param name of the command
 * @throws OBS_INPUT_MISSING when there is no log yet · what `openEnvironment` throws
 */
export async function atDesk<Result>(
  session: Session,
  name: string,
  flags: Pick<DeskRequest, 'alertConfig' | 'sends'>,
  work: (desk: OperatorDesk) => Promise<Result>,
): Promise<Result> {
  const env = await openExistingDesk(session, name, flags)
  try {
    return await work({
      env,
      commands: new CommandTopic(env.log, codecOf(env, topics.command)),
      openAlerts: () => readOpenAlerts(env.log, codecOf(env, topics.alert)),
      labelsOf: (alert) => alertLabels(alert, env.config.sources.find(({ id }) => id === alert.source)?.labels ?? {}),
    })
  } finally {
    await env.close()
  }
}

type Unsaid<Fact> = Fact extends CommandFact ? Omit<Fact, 'at' | 'by' | 'reason'> : never

/** Records a command of now. @returns its id */
export async function say(
  { env, commands }: OperatorDesk,
  { by, reason }: AuthorFlags,
  command: Unsaid<CommandFact>,
): Promise<string> {
  const at = env.clock.now()
  const commandId = timeOrderedId(at)
  await commands.append(commandId, { ...command, at, by, reason })
  return commandId
}

/** Whoever is logged in speaks, unless the flag names another. */
export function authorOf({ context }: Session, { by, reason }: OptionalAuthorFlags): AuthorFlags {
  const { USER, LOGNAME } = context.env
  return { by: by ?? (USER || LOGNAME || accountName()), reason }
}

/** Under cron and in containers no variable says who runs this. */
function accountName(): string {
  try {
    return userInfo().username || 'somebody'
  } catch {
    return 'somebody' // the account has a number only
  }
}

/** Fewer characters of a name are too few to mean one, as for git. */
const SHORTEST_PREFIX = 4

/**
 * What of the present names is meant: the name itself, or what begins like it and no other does.
 *
 * @returns `undefined`: there is no such name
 * @throws OBS_COMMAND_NO_TARGET when several begin so; they are listed
 */
export function meantBy(name: string, what: string, present: Present): string | undefined {
  if (present.has(name)) return name
  if (name.length < SHORTEST_PREFIX) return undefined
  const candidates = [...present].filter(([known]) => known.startsWith(name))
  if (candidates.length < 2) return candidates[0]?.[0]
  throw noTarget(`${name} is the beginning of several`, name, what, new Map(candidates))
}

/** Names, each with what tells people which one it is. */
type Present = ReadonlyMap<string, string>

const MOST_LISTED = 10

/**
 * A command names something that is not there; the message lists what there is, the most similar first.
 *
 * @param what in the plural
 */
export function noTarget(problem: string, name: string, what: string, present: Present): ObstreamError {
  if (present.size === 0) return new ObstreamError('OBS_COMMAND_NO_TARGET', `${problem}; there are no ${what}`)
  const listed = nearestFirst(name, [...present.keys()]).slice(0, MOST_LISTED)
  const lines = listed.map((likely) => `  ${likely}  ${present.get(likely)}`)
  if (present.size > listed.length) lines.push(`  and ${present.size - listed.length} more`)
  return new ObstreamError('OBS_COMMAND_NO_TARGET', `${problem}; ${what}:\n${lines.join('\n')}`)
}
