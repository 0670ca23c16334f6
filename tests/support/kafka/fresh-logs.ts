import { randomUUID } from 'node:crypto'
import { type KafkaLogOptions, openKafkaLog } from '#lib/eventlog/kafka/kafka-log.ts'
import type { OpenedLog } from '#lib/eventlog/open.ts'
import { systemClock } from '#lib/runtime/clock.ts'

/** A log of a test's own on a cluster that others use too, with any number of connections. */
export interface FreshLog {
  /** Before the names of its topics and groups, with its dot. */
  readonly prefix: string
  /** Another connection, as another process would have it. */
  open(more?: Partial<KafkaLogOptions>): Promise<OpenedLog>
  /** Closes all connections. */
  close(): Promise<void>
}

/** @param brokers `host:port` */
export function freshLog(brokers: readonly string[], options: Partial<KafkaLogOptions> = {}): FreshLog {
  const prefix = `${randomUUID().slice(0, 8)}.`
  const opened: OpenedLog[] = []
  return {
    prefix,
    async open(more = {}) {
      const log = await openKafkaLog({
        brokers,
        prefix,
        clock: systemClock,
        partitions: 3,
        clientId: 'obstream-test',
        ...options,
        ...more,
      })
      opened.push(log)
      return log
    },
    close: async () => void (await Promise.all(opened.map((log) => log.close()))),
  }
}
