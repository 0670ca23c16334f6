import { afterEach, beforeAll, beforeEach, describe, expect } from '@jest/globals'
import type { EventLog, Subscription } from '#lib/eventlog/port.ts'
import { freshTopics, Recorder, recordsOf } from '#tests/contract/eventlog-fixture.ts'
import { eventually } from '#tests/support/eventually.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'

const GROUP = 'rollup'
const topic = freshTopics().wide
const PARTITIONS = 6
const missing = kafkaMissing()

/** A member that knows what it owns now. */
class Member extends Recorder {
  readonly owned = new Set<number>()
  subscription!: Subscription

  override async assigned(...what: Parameters<Recorder['assigned']>): Promise<number> {
    this.owned.add(what[0])
    return super.assigned(...what)
  }

  override revoked(partition: number): void {
    this.owned.delete(partition)
    super.revoked(partition)
  }

  timesAssigned(partition: number): number {
    return this.events.filter((event) => event.startsWith(`assigned ${partition} `)).length
  }
}

let bootstrap: string
let logs: FreshLog
let log: EventLog

if (missing === undefined)
  beforeAll(async () => {
    bootstrap = (await sharedKafka()).bootstrap
  }, 180_000)

if (missing === undefined)
  beforeEach(async () => {
    logs = freshLog([bootstrap], { partitions: PARTITIONS })
    log = await logs.open()
    await log.topics.apply([topic])
  })
afterEach(() => logs?.close())

async function join(how: { readonly alone?: boolean } = {}): Promise<Member> {
  const member = new Member()
  const connection = await logs.open()
  member.subscription = await connection.subscribe(GROUP, topic.name, member, how)
  return member
}

/** Every partition has exactly one owner, and nobody has more than his share. */
async function shared(...members: readonly Member[]): Promise<void> {
  const most = Math.ceil(PARTITIONS / members.length)
  await eventually(() => {
    const all = members.flatMap(({ owned }) => [...owned]).sort()
    return all.length === PARTITIONS && new Set(all).size === PARTITIONS && members.every((m) => m.owned.size <= most)
  }, 30_000)
}

describe('replicas of a service', () => {
  testNeeding(missing, 'share the partitions, and each record comes to one of them', async () => {
    const [a, b] = [await join(), await join()]
    await shared(a, b)
    for (let partition = 0; partition < PARTITIONS; partition++)
      await log.append(topic.name, partition, recordsOf('x y'))
    const handled = (member: Member) => member.events.filter((event) => event.includes('>'))
    await eventually(() => handled(a).length + handled(b).length === PARTITIONS)
    expect([...handled(a), ...handled(b)].sort()).toEqual([0, 1, 2, 3, 4, 5].map((p) => `${p}> 0:x 1:y`))
  })

  testNeeding(
    missing,
    'that leave give their partitions to the others, which go on at what was committed',
    async () => {
      const [a, b] = [await join(), await join()]
      await shared(a, b)
      const [given] = b.owned
      await log.append(topic.name, given!, recordsOf('x'))
      await eventually(() => b.events.includes(`${given}> 0:x`))
      await b.subscription.stop()
      await shared(a)
      expect(a.events).toContain(`assigned ${given} at 1`)
      await log.append(topic.name, given!, recordsOf('y'))
      await eventually(() => a.events.includes(`${given}> 1:y`))
      expect(a.events).not.toContain(`${given}> 0:x`)
    },
  )

  testNeeding(missing, 'keep what they have when another one comes or goes, and need not restore it', async () => {
    const a = await join()
    await shared(a)
    const b = await join()
    await shared(a, b)
    const kept = [...a.owned]
    await b.subscription.stop()
    await shared(a)
    expect(kept.map((partition) => a.timesAssigned(partition))).toEqual([1, 1, 1])
  })

  testNeeding(missing, 'go on reading what they keep while the group finds its new order', async () => {
    const a = await join()
    await shared(a)
    const others: Member[] = []
    let appended = 0
    for (let round = 0; round < 4; round++) {
      others.push(await join())
      for (const partition of a.owned) {
        await log.append(topic.name, partition, recordsOf('x'))
        appended++
      }
    }
    await shared(a, ...others)
    const handled = new Set([a, ...others].flatMap(({ events }) => events.filter((event) => event.includes('>'))))
    await eventually(
      () => [a, ...others].flatMap(({ events }) => events.filter((event) => event.includes('>'))).length >= appended,
    )
    expect(handled.size).toBeLessThanOrEqual(appended)
  })

  testNeeding(missing, 'that lose a partition do not commit it any more', async () => {
    const a = await join()
    await shared(a)
    const gate = Promise.withResolvers<void>()
    a.onBatch = () => gate.promise
    await Promise.all([0, 1, 2, 3, 4, 5].map((partition) => log.append(topic.name, partition, recordsOf('x'))))
    await eventually(() => a.events.filter((event) => event.includes('>')).length === PARTITIONS)
    const b = await join()
    await eventually(() => b.owned.size === PARTITIONS / 2, 30_000)
    for (const partition of b.owned) await log.append(topic.name, partition, recordsOf('y z'))
    await eventually(() => [...b.owned].every((partition) => b.events.includes(`${partition}> 1:y 2:z`)))
    const committed = async (partition: number) =>
      (await log.committed(GROUP, topic.name)).find((commit) => commit.partition === partition)?.offset
    for (const partition of b.owned) await eventually(async () => (await committed(partition)) === 3)
    gate.resolve()
    await eventually(() => a.owned.size === PARTITIONS / 2)
    for (const partition of a.owned) await eventually(async () => (await committed(partition)) === 1)
    for (const partition of b.owned) expect(await committed(partition)).toBe(3)
  })
})

describe('who wants to be alone', () => {
  testNeeding(missing, 'is refused while somebody is there', async () => {
    await shared(await join())
    await expect(join({ alone: true })).rejects.toMatchObject({
      code: 'OBS_LOG_GROUP_HELD',
      message: expect.stringContaining('obstream-test'),
    })
  })

  testNeeding(missing, 'has all partitions; whoever comes gets none before it has gone', async () => {
    const loner = await join({ alone: true })
    await shared(loner)
    const other = await join()
    await log.append(topic.name, 0, recordsOf('x'))
    await eventually(() => loner.events.includes('0> 0:x'))
    await expect(eventually(() => other.owned.size > 0, 3_000)).rejects.toThrow()
    expect(loner.timesAssigned(0)).toBe(1)
    await loner.subscription.stop()
    await shared(other)
  })
})

testNeeding(missing, 'batches are handed out whole and once, whatever joins and leaves meanwhile', async () => {
  const steady = await join()
  await shared(steady)
  const expected: string[] = []
  for (let round = 0; round < 6; round++) {
    const guest = await join()
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const { baseOffset } = await log.append(topic.name, partition, recordsOf(`k${round}`))
      expected.push(`${partition}> ${baseOffset}:k${round}`)
    }
    await guest.subscription.stop()
    steady.events.push(...guest.events.filter((event) => event.includes('>')))
  }
  await eventually(() => expected.every((event) => steady.events.includes(event)), 30_000)
})
