import { formatMatchers } from '#lib/commands/matchers.ts'
import { formatInstant } from '#lib/time.ts'
import type { CommandRun } from '../program.ts'
import type { UnsilenceFlags } from '../unsilence.ts'
import { atDesk, noTarget, say } from './operator.ts'

/** `obstream unsilence`. */
export const unsilence: CommandRun<readonly [string, UnsilenceFlags]> = (session, silenceId, flags) =>
  atDesk(session, 'unsilence', flags, async (desk) => {
    const silences = (await desk.commands.standing()).silences(desk.env.clock.now())
    const silence = silences.find(({ id }) => id === silenceId)
    if (silence === undefined || silence.state === 'expired') {
      const standing = silences.filter(({ state }) => state !== 'expired')
      const present = new Map(standing.map(({ id, state, matchers }) => [id, `${state}: ${formatMatchers(matchers)}`]))
      const problem = silence ? `has ended at ${formatInstant(silence.endsAt)}` : 'is not known'
      throw noTarget(`the silence ${silenceId} ${problem}`, silenceId, 'silences in force', present)
    }
    const commandId = await say(desk, flags, { type: 'unsilence', silenceId })
    session.terminal.note(`the silence of ${formatMatchers(silence.matchers)} has ended`)
    session.terminal.summary({ status: 'ok', command_id: commandId, silence_id: silenceId, was: silence.state })
    return undefined
  })
