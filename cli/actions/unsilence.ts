import { formatMatchers } from '#lib/commands/matchers.ts'
import type { Silence, SilenceState } from '#lib/commands/standing.ts'
import { formatInstant } from '#lib/time.ts'
import type { CommandRun } from '../program.ts'
import type { UnsilenceFlags } from '../unsilence.ts'
import { atDesk, meantBy, noTarget, say } from './operator.ts'

type Known = Silence & { readonly state: SilenceState }

/** `obstream unsilence`. Nothing is recorded unless every name is that of a silence in force. */
export const unsilence: CommandRun<readonly [readonly string[], UnsilenceFlags]> = (session, names, flags) =>
  atDesk(session, 'unsilence', flags, async (desk) => {
    const known = (await desk.commands.standing()).silences(desk.env.clock.now())
    const meant = new Set(names.map((name) => silenceNamed(name, known)))
    const ended: object[] = []
    for (const { id, state, matchers } of meant) {
      const commandId = await say(desk, flags, { type: 'unsilence', silenceId: id })
      session.terminal.note(`the silence of ${formatMatchers(matchers)} has ended`)
      ended.push({ silence_id: id, command_id: commandId, was: state })
    }
    session.terminal.summary({ status: 'ok', ended })
    return undefined
  })

/** @throws OBS_COMMAND_NO_TARGET */
function silenceNamed(name: string, known: readonly Known[]): Known {
  const standing = known.filter(({ state }) => state !== 'expired')
  const present = new Map(standing.map(({ id, state, matchers }) => [id, `${state}: ${formatMatchers(matchers)}`]))
  const meant = meantBy(name, 'silences in force', present)
  const silence = standing.find(({ id }) => id === meant)
  if (silence) return silence
  const over = known.find(({ id }) => id === name)
  const problem = over ? `has ended at ${formatInstant(over.endsAt)}` : 'is not known'
  throw noTarget(`the silence ${name} ${problem}`, name, 'silences in force', present)
}
