import { formatMatchers } from '#lib/commands/matchers.ts'
import { compileFilter } from '#lib/commands/matching.ts'
import type { Silence, SilenceState } from '#lib/commands/standing.ts'
import type { Matcher } from '#lib/facts.ts'
import { formatInstant } from '#lib/time.ts'
import type { CommandRun } from '../program.ts'
import type { SilencesFlags } from '../silences.ts'
import { table } from '../terminal.ts'
import { atDesk } from './operator.ts'

type Listed = Silence & { readonly state: SilenceState }

/** `obstream silences`: the active ones first, each kind in the order in which they end. */
export const silences: CommandRun<readonly [readonly Matcher[], SilencesFlags]> = (session, filter, flags) =>
  atDesk(session, 'silences', flags, async ({ env, commands }) => {
    const found = (await commands.standing()).silences(env.clock.now())
    const fits = compileFilter(filter)
    const listed = found
      .filter(({ state, matchers }) => (flags.all === true || state !== 'expired') && fits(matchers))
      .toSorted((a, b) => ORDER[a.state] - ORDER[b.state] || a.endsAt - b.endsAt)
    if (session.terminal.json) session.terminal.summary({ silences: listed.map(asJson) })
    else if (listed.length === 0) session.terminal.note(nothingWords(filter))
    else for (const line of table([HEAD, ...listed.map(asRow)])) session.terminal.print(line)
    return undefined
  })

function nothingWords(filter: readonly Matcher[]): string {
  if (filter.length === 0) return 'nothing is silenced, and nothing will be'
  return `no silence has matchers that fit ${formatMatchers(filter)}`
}

const ORDER: Readonly<Record<SilenceState, number>> = { active: 0, pending: 1, expired: 2 }

const HEAD = ['silence', 'state', 'from', 'until', 'matchers', 'by', 'reason']

function asRow({ id, state, startsAt, endsAt, matchers, said, ended }: Listed): readonly string[] {
  const until = `${formatInstant(endsAt)}${ended ? ` (ended by ${ended.by})` : ''}`
  return [id, state, formatInstant(startsAt), until, formatMatchers(matchers), said.by, said.reason]
}

function asJson({ id, state, startsAt, endsAt, matchers, said, ended }: Listed): object {
  return {
    id,
    state,
    starts_at: formatInstant(startsAt),
    ends_at: formatInstant(endsAt),
    matchers: formatMatchers(matchers),
    at: formatInstant(said.at),
    by: said.by,
    reason: said.reason,
    ended: ended && { at: formatInstant(ended.at), by: ended.by, reason: ended.reason },
  }
}
