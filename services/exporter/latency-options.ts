import type { Config } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { JobStarted } from '#lib/facts.ts'
import type { RotationJob } from './rotation.ts'

/** Every option of the latency job that affects an artefact. Its start carries them; nothing else is asked later. */
export interface LatencyOptions {
  readonly rawRetentionDays: number
  readonly rollupRetentionDays: number
  /** Relative to the data directory. */
  readonly rollupOutput: string
}

/** What the configuration says. */
export function latencyOptions({ jobs: { latency } }: Config): LatencyOptions {
  const { rawRetentionDays, rollupRetentionDays, rollupOutput } = latency
  return { rawRetentionDays, rollupRetentionDays, rollupOutput }
}

/** As the start's record holds them. */
export function writeOptions(options: LatencyOptions): JobStarted['options'] {
  return {
    raw_retention_days: String(options.rawRetentionDays),
    rollup_retention_days: String(options.rollupRetentionDays),
    rollup_output: options.rollupOutput,
  }
}

/** @throws OBS_RECORD_INVALID when a start lacks one */
export function readOptions(start: JobStarted): LatencyOptions {
  return {
    rawRetentionDays: days(start, 'raw_retention_days'),
    rollupRetentionDays: days(start, 'rollup_retention_days'),
    rollupOutput: option(start, 'rollup_output'),
  }
}

/** A start as rotation sees it. */
export function rotationJob(start: JobStarted): RotationJob {
  const { jobId, cutTickAt, generatedAt } = start
  return { jobId, cutTickAt, generatedAt, rawRetentionDays: readOptions(start).rawRetentionDays }
}

function days(start: JobStarted, name: string): number {
  const text = option(start, name)
  if (!/^\d{1,6}(\.\d{1,6})?$/.test(text)) throw invalid(start, `${name} is ${JSON.stringify(text)}, no number of days`)
  return Number(text)
}

function option(start: JobStarted, name: string): string {
  const text = start.options[name]
  if (text === undefined) throw invalid(start, `${name} is missing`)
  return text
}

function invalid(start: JobStarted, fault: string): ObstreamError {
  return new ObstreamError('OBS_RECORD_INVALID', `the start of ${start.jobId} cannot be run: option ${fault}`)
}
