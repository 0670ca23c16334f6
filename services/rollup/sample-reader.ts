import type { TopicCodec } from '#lib/codec/avro.ts'
import type { Offset } from '#lib/eventlog/port.ts'
import type { RecordBatch } from '#lib/eventlog/record-batch.ts'
import type { Outcome, SampleFact } from '#lib/facts.ts'
import type { InputReader, ReportBad } from '#lib/runtime/define-service.ts'
import { ByteReader } from './byte-reader.ts'
import { HASH_BYTES, PlanHashes } from './plan-hashes.ts'
import { readByCodec, type SampleInput } from './sample-input.ts'
import { isCount, isInstant } from './sample-limits.ts'
import { SourceNames } from './source-names.ts'

type SampleCodec = Pick<TopicCodec<SampleFact>, 'schemaId' | 'decode'>

/**
 * Reads samples and ticks straight from a batch's bytes, without an object for each record: the input handed out is
 * always the same one, changed.
 *
 * It knows the bytes of today's schema. At the first record that looks different in any way, an older schema or a bad
 * record, it leaves the rest of the batch to the codec, which has the last word on both.
 */
export function sampleReader(codec: SampleCodec): InputReader<SampleInput> {
  const names = new SourceNames()
  const plans = new PlanHashes()
  return (batch, from, bad) => ({ [Symbol.iterator]: () => new BatchReader({ batch, from, bad, codec, names, plans }) })
}

const OUTCOMES: readonly Outcome[] = ['ok', 'timeout', 'error', 'skipped']
/** A zero byte and the schema id. */
const WIRE_HEADER_BYTES = 5
const PROBE = 0
const TICK = 1
const NULL = 0

type Mutable<Fields> = { -readonly [Name in keyof Fields]: Fields[Name] }

class BatchReader implements Iterator<SampleInput, undefined> {
  readonly #batch: RecordBatch
  readonly #bad: ReportBad
  readonly #codec: SampleCodec
  readonly #names: SourceNames
  readonly #plans: PlanHashes
  readonly #reader: ByteReader
  readonly #from: Offset
  #left: number
  #nextOffset: Offset
  /** The rest of the batch, from the first record on that is not as expected. */
  #rest: Iterator<SampleInput, undefined> | null = null

  readonly #probe = {
    type: 'probe' as const,
    outcome: 'ok' as Outcome,
    scheduledAt: 0,
    ordinal: 0,
    latencyMs: null as number | null,
  }
  readonly #tick = { type: 'tick' as const, at: 0, plan: '' }
  readonly #cause: [number] = [0]
  readonly #input: Mutable<SampleInput> = { offset: 0, cause: this.#cause, key: '', value: this.#probe, hint: 0 }
  readonly #result: IteratorYieldResult<SampleInput> = { done: false, value: this.#input }

  constructor(parts: {
    readonly batch: RecordBatch
    readonly from: Offset
    readonly bad: ReportBad
    readonly codec: SampleCodec
    readonly names: SourceNames
    readonly plans: PlanHashes
  }) {
    this.#batch = parts.batch
    this.#from = parts.from
    this.#bad = parts.bad
    this.#codec = parts.codec
    this.#names = parts.names
    this.#plans = parts.plans
    this.#reader = new ByteReader(parts.batch.payload())
    this.#left = parts.batch.recordCount
    this.#nextOffset = parts.batch.baseOffset
  }

  next(): IteratorResult<SampleInput, undefined> {
    while (this.#rest === null && this.#left > 0) {
      if (!this.#readRecord()) {
        this.#rest = readByCodec(this.#batch, Math.max(this.#from, this.#nextOffset), this.#bad, this.#codec)
        break
      }
      this.#left--
      this.#nextOffset = this.#input.offset + 1
      if (this.#input.offset >= this.#from) return this.#result
    }
    return this.#rest?.next() ?? { done: true, value: undefined }
  }

  /**
   * The layout of Kafka's record; see `lib/eventlog/record-batch.ts`.
   *
   * @returns `false` when the record is anything but a good one of today's schema
   */
  #readRecord(): boolean {
    const reader = this.#reader
    const { bytes } = reader
    const length = reader.int()
    const end = reader.at + length
    reader.at++ // attributes
    reader.skipLong() // timestamp
    const offset = this.#batch.baseOffset + reader.int()
    const keyBytes = reader.int()
    const keyAt = reader.at
    if (keyBytes > 0) reader.at += keyBytes
    const valueBytes = reader.int()
    const valueEnd = reader.at + valueBytes
    if (offset < this.#nextOffset || valueBytes < WIRE_HEADER_BYTES || valueEnd >= end || end > bytes.length)
      return false
    if (bytes[reader.at] !== 0 || schemaIdAt(bytes, reader.at + 1) !== this.#codec.schemaId) return false
    reader.at += WIRE_HEADER_BYTES
    const kind = reader.int()
    const isGood = kind === PROBE ? this.#readProbe(keyAt, keyBytes) : kind === TICK && this.#readTick()
    if (!isGood || reader.at !== valueEnd || reader.isOdd) return false
    this.#input.offset = offset
    this.#cause[0] = offset
    reader.at = end
    return true
  }

  #readProbe(keyAt: number, keyBytes: number): boolean {
    const reader = this.#reader
    const probe = this.#probe
    if (keyBytes <= 0) return false
    const name = this.#names.numberOf(reader.bytes, keyAt, keyBytes)
    const source = this.#names.idOf(name)
    const outcome = OUTCOMES[reader.int()]
    if (source === null || outcome === undefined) return false
    const scheduledAt = reader.long()
    const ordinal = reader.int()
    const latencyKind = reader.int()
    const latencyMs = latencyKind === NULL ? null : reader.int()
    reader.skipLong() // measured_at
    if (!isInstant(scheduledAt) || !isCount(ordinal) || latencyKind >>> 1 !== 0) return false
    if (latencyMs === null ? outcome === 'ok' || outcome === 'timeout' : !isCount(latencyMs)) return false
    probe.outcome = outcome
    probe.scheduledAt = scheduledAt
    probe.ordinal = ordinal
    probe.latencyMs = latencyMs
    this.#input.key = source
    this.#input.hint = name
    this.#input.value = probe
    return this.#skipLag() && this.#skipErrorCode()
  }

  #skipLag(): boolean {
    const kind = this.#reader.int()
    if (kind === NULL) return true
    this.#reader.int()
    return kind === 1
  }

  /** Plain ASCII only: whether other bytes are UTF-8 is for the codec to say. */
  #skipErrorCode(): boolean {
    const reader = this.#reader
    const kind = reader.int()
    if (kind === NULL) return true
    const lengthBytes = reader.int()
    if (kind !== 1 || lengthBytes < 0) return false
    for (const end = reader.at + lengthBytes; reader.at < end; reader.at++)
      if (!(reader.bytes[reader.at]! < 0x80)) return false
    return true
  }

  #readTick(): boolean {
    const reader = this.#reader
    const at = reader.long()
    if (reader.int() !== HASH_BYTES || !isInstant(at)) return false
    const plan = this.#plans.hashAt(reader.bytes, reader.at)
    reader.at += HASH_BYTES
    if (plan === null) return false
    this.#tick.at = at
    this.#tick.plan = plan
    this.#input.key = ''
    this.#input.value = this.#tick
    return true
  }
}

function schemaIdAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
