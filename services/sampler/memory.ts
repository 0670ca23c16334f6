import type { Offset } from '#lib/eventlog/port.ts'
import type { SampleFact } from '#lib/facts.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { HOUR_MS } from '#lib/time.ts'
import type { CsvCursor } from './csv-cursor.ts'

/**
 * What the sampler of one partition knows of what it wrote: a fold over its own samples and ticks, so that a restart
 * learns from the log alone where it was.
 */
export interface SamplerMemory {
  lastTick: LastTick | null
  /** The latest slot of each source that has a sample. */
  readonly slots: Map<string, Remembered<Instant>>
  /** How far each csv source's file has been published. */
  readonly cursors: Map<string, Remembered<CsvCursor>>
}

export interface LastTick {
  readonly at: Instant
  /** sha256 of the plan it named. */
  readonly plan: string
  readonly offset: Offset
}

/** Something that a record said, and where that record stands. */
export interface Remembered<Value> {
  readonly value: Value
  readonly offset: Offset
  /** The newest tick before it; `null`: none. */
  readonly tickAt: Instant | null
}

/**
 * A cursor is written again with a tick that is this much later than the record that carried it last. So nothing older
 * than `FORGET_AFTER_MS` is needed, however quiet a file is, and no retention can take a cursor away.
 */
export const CURSOR_REPEAT_MS: Milliseconds = HOUR_MS

/**
 * What no record has repeated for so long is forgotten: the source is gone from the configuration. If it is not (an
 * interval of more than a day), a slot may be probed twice, and the second sample of its id counts nothing.
 */
export const FORGET_AFTER_MS: Milliseconds = 25 * HOUR_MS

export function emptyMemory(): SamplerMemory {
  return { lastTick: null, slots: new Map(), cursors: new Map() }
}

/** One record of the sampler's own partition, with the cursors in its headers. */
export interface OwnRecord {
  readonly offset: Offset
  /** Source; empty for a tick. */
  readonly key: string
  readonly value: SampleFact
  readonly cursors: Iterable<readonly [source: string, cursor: CsvCursor]>
}

/** Advances `memory` in place. */
export function remember(memory: SamplerMemory, { offset, key, value, cursors }: OwnRecord): void {
  if (value.type === 'tick') rememberTick(memory, { at: value.at, plan: value.plan, offset })
  else rememberSlot(memory, key, value.scheduledAt, offset)
  const tickAt = memory.lastTick?.at ?? null
  for (const [source, cursor] of cursors) memory.cursors.set(source, { value: cursor, offset, tickAt })
}

/** Time is the largest tick; of copies the newest is kept, so that the mark moves on. */
function rememberTick(memory: SamplerMemory, tick: LastTick): void {
  const before = memory.lastTick
  if (before && tick.at < before.at) return
  memory.lastTick = tick
  if (before && Math.floor(before.at / HOUR_MS) === Math.floor(tick.at / HOUR_MS)) return
  forget(memory.slots, tick.at)
  forget(memory.cursors, tick.at)
}

/** Once an hour: a walk over all sources at every tick would be long. What stands before the first tick gets its time. */
function forget<Value>(known: Map<string, Remembered<Value>>, now: Instant): void {
  for (const [source, entry] of known)
    if (entry.tickAt === null) known.set(source, { ...entry, tickAt: now })
    else if (now - entry.tickAt > FORGET_AFTER_MS) known.delete(source)
}

function rememberSlot(memory: SamplerMemory, source: string, slotAt: Instant, offset: Offset): void {
  const known = memory.slots.get(source)
  if (known && known.value > slotAt) return
  memory.slots.set(source, { value: slotAt, offset, tickAt: memory.lastTick?.at ?? null })
}

/** The oldest record that `memory` rests on; `null` when it is empty. */
export function oldestNeeded(memory: SamplerMemory): Offset | null {
  let oldest = memory.lastTick?.offset ?? Number.POSITIVE_INFINITY
  for (const { offset } of memory.slots.values()) oldest = Math.min(oldest, offset)
  for (const { offset } of memory.cursors.values()) oldest = Math.min(oldest, offset)
  return oldest === Number.POSITIVE_INFINITY ? null : oldest
}

/** A copy that stays as it is. */
export function copyMemory(memory: SamplerMemory): SamplerMemory {
  return { lastTick: memory.lastTick, slots: new Map(memory.slots), cursors: new Map(memory.cursors) }
}
