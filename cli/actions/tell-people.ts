import { openFileArtefacts } from '#lib/artefacts/files.ts'
import { formatDryRun } from '#lib/delivery/dry-run-file.ts'
import type { DeliveryResult } from '#lib/delivery/facts.ts'
import type { LedgerMessage } from '#lib/delivery/ledger.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { decideOnce, recordDryRun, type TriedDecision, tellOnce } from '#services/alerter/courier/once.ts'
import { openDryRun } from './dry-run.ts'

/** Messages that no receiver has taken. */
export interface Untold {
  readonly count: number
  /** OBS_DELIVERY_PENDING when one of them may be taken later · OBS_DELIVERY_REFUSED when none ever will. */
  readonly fault: ObstreamError
}

/** Sends what there is to be sent, once. @returns `null` when all of it was taken @throws OBS_LOG_GROUP_HELD */
export async function tellPeople(env: Environment, interrupted: AbortSignal): Promise<Untold | null> {
  const untold = await tellOnce(env, interrupted)
  const later = untold.find(isTriedAgain)
  const worst = later ?? untold[0]
  if (!worst) return null
  const { channel, subject, messageId } = worst.decision
  const { result, detail } = worst.attempts.at(-1)?.outcome ?? { result: 'unknown', detail: null }
  const what = `${channel} has not taken ${subject}: ${result}${detail === null ? '' : `, ${detail}`}`
  const others = untold.length > 1 ? `, and ${untold.length - 1} more` : ''
  const fault = later
    ? new ObstreamError('OBS_DELIVERY_PENDING', `${what}${others}; the next run tries again`)
    : new ObstreamError(
        'OBS_DELIVERY_REFUSED',
        `${what}${others}; ${remedies[result] ?? ''}\`obstream deliver ${messageId}\` sends it again`,
      )
  return { count: untold.length, fault }
}

/** What is to be done first. */
const remedies: Partial<Record<DeliveryResult, string>> = {
  unauthorized: 'mend its secret, then ',
  gone: 'configure its new address, then ',
  redirect: 'configure the address that it leads to, then ',
  forbidden: 'mend its address or name its host under delivery.allow_hosts, then ',
}

function isTriedAgain({ attempts }: LedgerMessage): boolean {
  return attempts.at(-1)?.outcome?.nextAttemptAt !== null
}

/** Writes what would be sent. The ledger says that it was a dry run, so that it binds nobody. */
export async function tellNobody(env: Environment, jobId: string, interrupted: AbortSignal): Promise<void> {
  const overlay = await openDryRun(env)
  const tried = await decideOnce(overlay, interrupted).finally(() => overlay.close())
  await writeRequests(env, jobId, tried)
  await recordDryRun(env, tried)
}

/** `out/latency_alerts/<job_id>.json`, for `obstream deliver`. */
export async function writeRequests(env: Environment, jobId: string, tried: readonly TriedDecision[]): Promise<void> {
  const text = formatDryRun(tried.map(({ decision }) => decision))
  await openFileArtefacts(env.config.dataDir).write(`out/latency_alerts/${jobId}.json`, Buffer.from(text))
}
