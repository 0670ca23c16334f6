import { expect, test } from '@jest/globals'
import { type MemoryLog, openMemoryLog } from '#lib/eventlog/memory.ts'
import { eventually } from '#tests/support/eventually.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'
import { eventLogContract } from './eventlog.contract.ts'
import { freshTopics, Recorder, recordsOf } from './eventlog-fixture.ts'

eventLogContract({
  name: 'memory',
  lacks: {},
  create: async () => {
    const clock = new ManualClock(0)
    const first = openMemoryLog({ clock, partitions: 3 })
    const handles: MemoryLog[] = [first]
    return {
      open: async () => {
        const handle = first.handle()
        handles.push(handle)
        return handle
      },
      setTime: (now) => clock.jumpTo(now),
      close: async () => void (await Promise.all(handles.map((handle) => handle.close()))),
    }
  },
})

test('a group belongs to one handle; a handle that is cut off may own it at the same time', async () => {
  const log = openMemoryLog({ clock: new ManualClock(0), partitions: 1 })
  const { plain } = freshTopics()
  await log.topics.apply([plain])
  await log.append(plain.name, 0, recordsOf('a'))
  const [first, second] = [new Recorder(), new Recorder()]
  await log.subscribe('rollup', plain.name, first)
  await expect(log.handle().subscribe('rollup', plain.name, second)).rejects.toMatchObject({
    code: 'OBS_LOG_GROUP_HELD',
  })
  const zombie = log.handle('cutOff')
  await zombie.subscribe('rollup', plain.name, second)
  await eventually(() => first.events.includes('0> 0:a') && second.events.some((event) => event.startsWith('assigned')))
  await log.close()
  await zombie.close()
})
