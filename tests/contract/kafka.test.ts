import { openKafkaLog } from '#lib/eventlog/kafka/kafka-log.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { eventLogContract } from './eventlog.contract.ts'

eventLogContract({
  name: 'kafka',
  lacks: {
    'manual time': 'brokers stamp appends with their own clock',
    'compaction on demand': 'brokers compact in their own time; tests/kafka/compaction.test.ts waits for them',
  },
  create: async () => {
    const handles: EventLog[] = []
    return {
      open: async () => {
        const handle = await openKafkaLog({
          brokers: ['127.0.0.1:19092'],
          prefix: '',
          clock: systemClock,
          partitions: 3,
          clientId: 'contract',
        })
        handles.push(handle)
        return handle
      },
      close: async () => void (await Promise.all(handles.map((handle) => handle.close()))),
    }
  },
})
