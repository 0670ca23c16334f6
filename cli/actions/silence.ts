import { formatMatchers } from '#lib/commands/matchers.ts'
import { compileMatchers } from '#lib/commands/matching.ts'
import type { SourceConfig } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { Matcher } from '#lib/facts.ts'
import { matches } from '#lib/plan.ts'
import { DAY_MS, formatInstant, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { CommandRun } from '../program.ts'
import type { SilenceFlags } from '../silence.ts'
import { doubtsAbout, labelNames } from './doubtful-matchers.ts'
import { atDesk, type OperatorDesk, say } from './operator.ts'

/** The log keeps a command this long, and a silence that it has forgotten is none. */
const LONGEST_MS = topics.command.retentionMs - 10 * DAY_MS

/** `obstream silence`. */
export const silence: CommandRun<readonly [readonly Matcher[], SilenceFlags]> = (session, matchers, flags) =>
  atDesk(session, 'silence', flags, async (desk) => {
    const startsAt = flags.from ?? desk.env.clock.now()
    const endsAt = startsAt + flags.for
    refuseStrangeTime(endsAt, desk.env.clock.now())
    const fits = compileMatchers(matchers)
    const alerts = (await desk.openAlerts()).filter((alert) => fits(desk.labelsOf(alert))).map(({ alertId }) => alertId)
    const sources = sourcesOf(desk, matchers)
    const silenceId = await say(desk, flags, { type: 'silence', matchers, startsAt, endsAt })
    const text = formatMatchers(matchers)
    const { terminal } = session
    terminal.note(`silence ${silenceId} holds from ${formatInstant(startsAt)} to ${formatInstant(endsAt)}: ${text}`)
    for (const doubt of doubtsAbout(matchers, desk.env.config.sources)) terminal.warn(doubt)
    if (alerts.length + sources.length === 0) terminal.warn(nothingMatches(text, desk.env.config.sources))
    for (const id of alerts) terminal.note(`  open alert  ${id}`)
    for (const id of sources) terminal.note(`  source      ${id}`)
    terminal.summary({
      status: 'ok',
      silence_id: silenceId,
      matchers: text,
      starts_at: formatInstant(startsAt),
      ends_at: formatInstant(endsAt),
      open_alerts: alerts,
      sources,
    })
    return undefined
  })

function refuseStrangeTime(endsAt: Instant, now: Instant): void {
  if (endsAt <= now)
    throw new ObstreamError(
      'OBS_CLI_USAGE',
      `the silence would have ended at ${formatInstant(endsAt)}; give a later --from or a longer --for`,
    )
  if (endsAt - now > LONGEST_MS)
    throw new ObstreamError(
      'OBS_CLI_USAGE',
      `the silence would end at ${formatInstant(endsAt)}; at most ${LONGEST_MS / DAY_MS} d from now are possible. To stop alerts for good, take the source out of the rules`,
    )
}

/** Every alert that a source can have, but for its id. */
const KINDS = ['breach', 'no_data'].flatMap((about) => ['warning', 'critical'].map((severity) => ({ about, severity })))

/** Configured sources of which some alert could match. A silence of single episodes, by their ids, is about no source. */
function sourcesOf({ env: { config } }: OperatorDesk, matchers: readonly Matcher[]): readonly string[] {
  const fits = compileMatchers(matchers)
  return config.sources
    .filter(({ id: source, labels }) => {
      const rule = config.rules.find(({ match }) => matches(match, source))?.id
      return rule !== undefined && KINDS.some((kind) => fits({ ...labels, source, rule, ...kind }))
    })
    .map(({ id }) => id)
}

function nothingMatches(text: string, sources: readonly SourceConfig[]): string {
  return `${text} matches no open alert and no configured source now; there are the names ${labelNames(sources).join(', ')}`
}
