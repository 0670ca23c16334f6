import { CommandTopic } from '#lib/commands/command-topic.ts'
import type { DeliveryDecision } from '#lib/delivery/facts.ts'
import { Ledger, type LedgerMessage } from '#lib/delivery/ledger.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { runToEnd, unlessEnded, unlessInterrupted } from '#lib/runtime/run-to-end.ts'
import { topics } from '#lib/topics.ts'
import { countNothing } from '../metrics.ts'
import { Claims } from './claims.ts'
import { decideTransition } from './deciding.ts'
import { openLedger } from './open-ledger.ts'
import { courier } from './service.ts'
import { startCourier } from './start.ts'

/**
 * Tells everything that the log holds, once: what a command does that is not there to stay.
 *
 * @returns messages that no receiver has taken so far; whoever comes next goes on with those that may still be taken
 * @throws OBS_LOG_GROUP_HELD when a courier runs elsewhere, which does this itself · the signal's reason
 */
export async function tellOnce(env: Environment, interrupted: AbortSignal): Promise<readonly LedgerMessage[]> {
  const running = await startCourier(env, { once: true })
  try {
    await unlessInterrupted(unlessEnded(running, running.settled()), interrupted)
    return running.untold()
  } finally {
    await running.stop()
  }
}

/** A decision that binds nobody. */
export interface TriedDecision {
  /** Of `obs.alert.v1` and of the ledger. */
  readonly partition: number
  readonly decision: DeliveryDecision
}

/**
 * Decides about everything that nobody has decided about, and sends nothing. For an environment on an overlay: what it
 * claims there binds nobody.
 *
 * @returns the decisions, in the order in which they were made
 */
export async function decideOnce(env: Environment, interrupted: AbortSignal): Promise<readonly TriedDecision[]> {
  const commands = new CommandTopic(env.log, codecOf(env, topics.command))
  const deps = { clock: env.clock, plans: env.plans, commands, counters: countNothing, config: () => env.config }
  const tried: TriedDecision[] = []
  for (const [partition, book] of await runToEnd(courier, env)) {
    const ledger = await openLedger(env.log, codecOf(env, topics.delivery), { partition, book, now: env.clock.now() })
    const claims = new Claims(deps, { book, ledger }, interrupted)
    for (const transition of book.undecided.values()) {
      const isKnown = ledger.about(transition.key).length > 0
      await decideTransition(claims, transition)
      if (!isKnown) tried.push(...ledger.about(transition.key).map(({ decision }) => ({ partition, decision })))
    }
  }
  return tried
}

/** Writes decisions to the ledger as those of a dry run, which bind nobody. */
export async function recordDryRun(env: Environment, tried: readonly TriedDecision[]): Promise<void> {
  for (const { partition, decision } of tried) {
    const ledger = await Ledger.open(env.log, codecOf(env, topics.delivery), { partition, sinceAt: env.clock.now() })
    await ledger.claim([{ ...decision, dryRun: true }])
  }
}
