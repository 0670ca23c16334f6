import type { EventLog, LogRecord } from '#lib/eventlog/port.ts'
import type { BatchRecord } from '#lib/eventlog/record-batch.ts'
import { joinKey, keyPart } from '#lib/keys.ts'
import { topics } from '#lib/topics.ts'

export interface DeadLetter {
  readonly service: string
  readonly topic: string
  readonly partition: number
  readonly record: BatchRecord
  readonly reason: string
}

/**
 * Records that could not be read, with their raw bytes: key `service/topic/partition/offset`, the record's value as
 * value, its key and the reason in the headers `obs-key` and `obs-reason`. The first of a key counts.
 */
export class DeadLetters {
  readonly #log: EventLog
  readonly #counted: (letter: DeadLetter) => void
  #pending: LogRecord[] = []

  /** @param counted hears of each, for the logger and the metrics */
  constructor(log: EventLog, counted: (letter: DeadLetter) => void) {
    this.#log = log
    this.#counted = counted
  }

  add(letter: DeadLetter): void {
    const { service, topic, partition, record, reason } = letter
    this.#counted(letter)
    this.#pending.push({
      key: Buffer.from(joinKey(keyPart(service), keyPart(topic), String(partition), String(record.offset))),
      value: record.value ?? Buffer.alloc(0),
      headers: [
        { name: 'obs-key', value: record.key },
        { name: 'obs-reason', value: Buffer.from(reason) },
      ],
    })
  }

  /** Before progress is committed: a service that cannot write its dead letters stops. */
  async write(): Promise<void> {
    const pending = this.#pending
    this.#pending = []
    for (const record of pending) await this.#log.append(topics.deadLetter.name, 0, [record])
  }
}
