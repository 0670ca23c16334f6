import { type Cause, compareCauses, formatCause } from '#lib/cause.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { EventLog, PartitionOffsets } from '#lib/eventlog/port.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import { catalogue } from '#lib/topics.ts'
import type { Fault } from './fault.ts'
import { recordsOf } from './records-in.ts'

/** What readers of the derived topics are given. */
export interface Readings {
  /** Facts that a reader accepts, by topic. */
  readonly facts: Readonly<Record<string, number>>
  /** Copies that it drops. */
  readonly copies: number
  readonly faults: readonly Fault[]
}

/**
 * Reads every derived topic as its readers must, dropping a cause that is not newer than the newest accepted: each fact
 * has to be seen, and once.
 */
export async function checkReaders(log: EventLog): Promise<Readings> {
  const facts: Record<string, number> = {}
  const faults: Fault[] = []
  let copies = 0
  for (const { name, derived } of catalogue) {
    if (!derived) continue
    facts[name] = 0
    for (const place of await log.offsets(name)) {
      const reading = await readPartition(log, name, place)
      facts[name] += reading.accepted
      copies += reading.dropped
      faults.push(...reading.faults)
    }
  }
  return { facts, copies, faults }
}

interface Reading {
  readonly accepted: number
  readonly dropped: number
  readonly faults: readonly Fault[]
}

async function readPartition(log: EventLog, topic: string, place: PartitionOffsets): Promise<Reading> {
  const faults: Fault[] = []
  const accepted = new Set<string>()
  const hashes = new Map<string, string>()
  let newest: Cause | null = null
  let dropped = 0
  for await (const { offset, key: bytes, value, headers } of recordsOf(log, topic, place)) {
    const key = bytes.toString()
    const cause: Cause | undefined = causeOf({ headers })
    const about = `${topic}/${place.partition} ${key} at offset ${offset}, cause ${cause ? formatCause(cause) : 'none'}`
    const sha256 = sha256Hex(value ?? '')
    if ((hashes.get(key) ?? sha256) !== sha256) faults.push({ kind: 'fact_changed', about })
    hashes.set(key, sha256)
    if (cause && (newest === null || compareCauses(cause, newest) > 0)) {
      newest = cause
      if (accepted.has(key)) faults.push({ kind: 'fact_doubled', about })
      accepted.add(key)
    } else {
      dropped++
      if (!accepted.has(key)) faults.push({ kind: 'fact_hidden', about })
    }
  }
  return { accepted: accepted.size, dropped, faults }
}
