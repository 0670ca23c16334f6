import type { JobTopic } from '#lib/jobs/job-topic.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { SECOND_MS } from '#lib/time.ts'
import { LATENCY_JOB } from '#services/exporter/latency-start.ts'
import { exporterDependencies } from '#services/exporter/service.ts'

const PATIENCE_MS = 5 * SECOND_MS
const LOOK_EVERY_MS = 100

/**
 * Looks at something that services may be changing, until it looks final or nobody is at work on it.
 *
 * @param look sees the jobs of the log as they are by then
 * @returns what it looked like last
 */
export async function settled<Seen extends { readonly isFinal: boolean }>(
  env: Environment,
  look: (now: { readonly jobs: JobTopic }) => Promise<Seen>,
): Promise<Seen> {
  const { jobs, clock } = exporterDependencies(env)
  const until = clock.monotonicMs() + PATIENCE_MS
  for (let endCount = -1; ; ) {
    const seen = await look({ jobs })
    if (seen.isFinal || clock.monotonicMs() >= until) return seen
    // Files are written before a job's end is recorded, the automation log and the heartbeat just after it.
    const isOpen = (await jobs.history(LATENCY_JOB)).open !== null
    const ends = (await jobs.finished()).length
    if (!isOpen && ends === endCount) return seen
    endCount = ends
    await clock.sleep(LOOK_EVERY_MS)
  }
}
