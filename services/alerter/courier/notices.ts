import type { Said } from '#lib/commands/standing.ts'
import type { Config } from '#lib/config.ts'
import { findSource, type Plan } from '#lib/plan.ts'
import { SECOND_MS } from '#lib/time.ts'
import type { MessageContext, Notice } from '../messages/compose.ts'
import type { Verdict } from './decide.ts'
import type { Transition } from './episode-book.ts'
import { noteWords } from './note.ts'
import { whyTold } from './why.ts'

/** What a message needs to know besides the transition. */
export function contextOf(config: Config, plan: Plan): MessageContext {
  const { env, locale, displayTimeZone, publicUrl } = config
  return { env, locale, displayTimeZone, publicUrl, labelsOf: (source) => findSource(plan, source)?.labels ?? {} }
}

export interface NoticeParts {
  readonly plan: Plan
  readonly locale: Config['locale']
  readonly acknowledgement: Said | null
  /** A receiver is told who else is. */
  readonly notifiedChannels: readonly string[]
}

/** A transition as a channel is told of it. */
export function noticeOf({ alert }: Transition, verdict: Verdict, parts: NoticeParts): Notice {
  const { plan, acknowledgement, notifiedChannels } = parts
  const resolvedAt = alert.kind === 'resolved' ? alert.decidedAt : null
  return {
    kind: 'alert',
    alert,
    why: whyTold(alert, plan, parts.locale),
    notifiedChannels,
    acknowledgedAfterS: acknowledgement ? seconds(acknowledgement.at - alert.openedAt) : null,
    resolvedAfterS: resolvedAt === null ? null : seconds(resolvedAt - alert.openedAt),
    note: verdict.note === null ? null : noteWords(verdict.note, parts.locale),
  }
}

const seconds = (ms: number): number => Math.max(Math.round(ms / SECOND_MS), 0)
