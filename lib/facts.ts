import type { Instant, Milliseconds } from './time.ts'

/**
 * The values of the topics as the code sees them. Their fields are described in `schemas/topics/*.avsc`; names there are
 * snake_case, the codec maps them. A topic whose value is one of several facts tells them apart by `type`.
 */

export type Outcome = 'ok' | 'timeout' | 'error' | 'skipped'

/** The result of one probe. Its source is the key of its record. */
export interface Probe {
  readonly type: 'probe'
  readonly outcome: Outcome
  readonly scheduledAt: Instant
  readonly ordinal: number
  readonly latencyMs: Milliseconds | null
  readonly measuredAt: Instant
  readonly lagMs: Milliseconds | null
  readonly errorCode: string | null
}

/** The only thing that moves time in a fold. */
export interface Tick {
  readonly type: 'tick'
  readonly at: Instant
  /** sha256 of the plan in force. */
  readonly plan: string
}

export type SampleFact = Probe | Tick

export interface PlanRecord {
  readonly canonicalJson: string
}

export type Verdict = 'ok' | 'breach' | 'insufficient' | 'closed' | 'retired'
export type BreachReason = 'p95' | 'errors'

export interface LatencyCount {
  readonly ms: Milliseconds
  readonly count: number
}

/** `count` sample ids: `firstAt`, `firstAt + stepMs`, …, all with one ordinal. */
export interface IdRun {
  readonly firstAt: Instant
  readonly stepMs: Milliseconds
  readonly count: number
  readonly ordinal: number
}

export interface Window {
  readonly type: 'window'
  readonly source: string
  readonly startAt: Instant
  readonly endAt: Instant
  readonly revision: number
  readonly decidedAt: Instant
  readonly late: boolean
  readonly verdict: Verdict
  readonly reason: BreachReason | null
  readonly count: number
  readonly errorCount: number
  readonly timeoutCount: number
  readonly skippedCount: number
  readonly expectedCount: number
  readonly p50Ms: Milliseconds | null
  readonly p95Ms: Milliseconds | null
  readonly maxMs: Milliseconds | null
  readonly thresholdMs: Milliseconds | null
  readonly ruleId: string | null
  readonly plan: string
  readonly latencies: readonly LatencyCount[]
  readonly sampleIds: readonly IdRun[]
  readonly sealed: boolean
}

export interface Gap {
  readonly type: 'gap'
  readonly source: string
  readonly firstSlotAt: Instant
  readonly slotAt: Instant
  readonly missingCount: number
  readonly decidedAt: Instant
  readonly ruleId: string | null
  readonly plan: string
}

export type RejectReason = 'too_late' | 'too_early' | 'window_sealed' | 'window_full'

export interface Rejected {
  readonly type: 'rejected'
  readonly source: string
  readonly scheduledAt: Instant
  readonly ordinal: number
  readonly reason: RejectReason
  readonly decidedAt: Instant
  readonly outcome: Outcome
  readonly latencyMs: Milliseconds | null
}

export type WindowFact = Window | Gap | Rejected

export interface Breach {
  readonly source: string
  readonly startAt: Instant
  readonly endAt: Instant
  readonly revision: number
  readonly decidedAt: Instant
  readonly reason: BreachReason
  readonly ruleId: string
  readonly thresholdMs: Milliseconds
  readonly p50Ms: Milliseconds | null
  readonly p95Ms: Milliseconds | null
  readonly maxMs: Milliseconds | null
  readonly count: number
  readonly errorCount: number
  readonly expectedCount: number
  readonly plan: string
  readonly windowKey: string
  readonly windowSha256: string
}

export type AlertKind = 'opened' | 'escalated' | 'reminded' | 'resolved' | 'annotated'
export type Severity = 'info' | 'warning' | 'critical'

export interface Evidence {
  readonly key: string
  readonly sha256: string
  readonly verdict: Verdict | 'gap'
  readonly count: number
  readonly errorCount: number
  readonly p95Ms: Milliseconds | null
}

export interface Alert {
  readonly alertId: string
  readonly sequence: number
  readonly kind: AlertKind
  readonly about: 'breach' | 'no_data'
  readonly severity: Severity
  readonly ruleId: string
  readonly source: string
  readonly decidedAt: Instant
  readonly eventAt: Instant
  readonly openedAt: Instant
  readonly reason: string
  readonly streak: number
  readonly thresholdMs: Milliseconds | null
  readonly plan: string
  readonly evidence: readonly Evidence[]
}

export type JobStatus = 'ok' | 'error' | 'skipped' | 'lost' | 'missed'

export interface JobStarted {
  readonly type: 'started'
  readonly job: string
  readonly slotAt: Instant
  readonly jobId: string
  readonly runId: string
  readonly generatedAt: Instant
  readonly plan: string
  readonly commitSha: string | null
  readonly command: readonly string[]
  readonly options: Readonly<Record<string, string>>
  readonly dryRun: boolean
  readonly cutTickAt: Instant
  readonly cutLastKeys: Readonly<Record<string, string>>
}

export interface ArtefactFile {
  /** Relative to the data directory, `/` between parts. */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  /** Of a file that never changes again: the time of its newest row. `null` for every other. */
  readonly newestAt: Instant | null
}

export interface JobFinished {
  readonly type: 'finished'
  readonly job: string
  readonly slotAt: Instant
  readonly jobId: string
  readonly runId: string
  readonly attempt: number
  readonly status: JobStatus
  readonly skipReason: string | null
  readonly startedAt: Instant
  readonly durationMs: Milliseconds
  readonly artefacts: readonly ArtefactFile[]
  readonly alerts: readonly { readonly id: string; readonly severity: string; readonly state: string }[]
  readonly errorCode: string | null
  readonly errorMessage: string | null
  readonly dryRun: boolean
  readonly summary: Readonly<Record<string, number>>
  readonly nextRunAt: Instant | null
}

export type JobFact = JobStarted | JobFinished

/** As in Alertmanager: `=`, `!=`, `=~`, `!~`. */
export type MatchOp = 'equal' | 'not_equal' | 'regex' | 'not_regex'

/** Compares one label of an alert; one that it does not have is the empty string. */
export interface Matcher {
  readonly name: string
  readonly op: MatchOp
  readonly value: string
}

/** What every command says of itself. */
interface Spoken {
  readonly at: Instant
  readonly by: string
  readonly reason: string
}

export interface AckCommand extends Spoken {
  readonly type: 'ack'
  readonly alertId: string
}

/** In force while `startsAt <= now < endsAt`. Its id is that of the command. */
export interface SilenceCommand extends Spoken {
  readonly type: 'silence'
  readonly matchers: readonly Matcher[]
  readonly startsAt: Instant
  readonly endsAt: Instant
}

/** Ends a silence at its own `at`. */
export interface UnsilenceCommand extends Spoken {
  readonly type: 'unsilence'
  readonly silenceId: string
}

export interface ExcludeCommand extends Spoken {
  readonly type: 'exclude'
  readonly source: string
  readonly fromAt: Instant
  readonly untilAt: Instant
}

export interface ChannelTestCommand extends Spoken {
  readonly type: 'channel_test'
  readonly channel: string
  /** sha256 of the channel's configuration. */
  readonly channelConfig: string
  readonly accepted: boolean
}

/** Said before a message is sent out of turn; what came of it stands in the ledger, unless only a dry run had decided it. */
export interface DeliverCommand extends Spoken {
  readonly type: 'deliver'
  readonly messageId: string
  readonly channel: string
  readonly bodySha256: string
}

export type CommandFact =
  | AckCommand
  | SilenceCommand
  | UnsilenceCommand
  | ExcludeCommand
  | ChannelTestCommand
  | DeliverCommand
