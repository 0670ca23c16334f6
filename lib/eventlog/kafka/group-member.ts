import { setTimeout as sleep } from 'node:timers/promises'
import { SECOND_MS } from '#lib/time.ts'
import type { Progress } from '../port.ts'
import { formatProgress } from '../progress.ts'
import { assignPartitions, type Member } from './assignment.ts'
import { answerOf, isAccessDenied, isOfTheBroker, unavailable } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import type { BrokerLine } from './connection.ts'
import { groupProtocol, requestOf } from './kafkajs.ts'
import { mayPass } from './patience.ts'

/** A member that is silent for so long is taken out; the least that brokers allow by default. */
const SESSION_TIMEOUT_MS = 6 * SECOND_MS
const HEARTBEAT_MS = SECOND_MS
/** How long the others wait for a member that is still there to join the next generation. */
const REBALANCE_TIMEOUT_MS = 10 * SECOND_MS
const PROTOCOL = 'obstream-sticky'
const PROTOCOL_VERSION = 0
const NO_GENERATION = -1
const PAUSE_MS = 100

/** What a member must know of its group. */
export interface Membership {
  readonly cluster: Cluster
  readonly group: string
  /** As the cluster knows it. */
  readonly topic: string
  /** Wants all partitions or none. */
  readonly alone: boolean
  /** Called after each rebalance, with all partitions that are ours now. */
  assigned(partitions: readonly number[]): void
}

interface Joined {
  readonly generationId: number
  readonly memberId: string
  readonly leaderId: string
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[]
}

/**
 * A member of a consumer group, in Kafka's own protocol: joins, says that it lives, joins again when others come or go.
 *
 * Unlike other consumers it goes on with its partitions while the group finds its new order, and afterwards with those it
 * keeps: two owners of one partition at once say the same thing, so nothing has to stop for the group's sake.
 */
export class GroupMember {
  readonly #of: Membership
  #memberId = ''
  #generation = NO_GENERATION
  #owned: readonly number[] = []
  /** The newest progress of each partition that is not committed yet. */
  readonly #uncommitted = new Map<number, Progress>()
  #committing: Promise<void> = Promise.resolve()

  constructor(membership: Membership) {
    this.#of = membership
  }

  /**
   * Is a member until `signal` aborts; then commits what is left and leaves.
   *
   * @throws OBS_LOG_UNAVAILABLE when the group does not know us any more, or its broker cannot be reached ·
   *   OBS_LOG_ACCESS_DENIED
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (let joins = true; !signal.aborted; ) {
        if (joins) await this.#join(signal)
        joins = await this.#beatUntilRebalance(signal)
      }
    } catch (error) {
      if (!signal.aborted) throw unavailable(`group ${this.#of.group} cannot be reached`, error)
    } finally {
      await this.#leave()
    }
  }

  /**
   * Commits. While the group is busy with itself, the newest progress waits for a later call or heartbeat; a partition that
   * is lost is not committed, its new owner does that.
   */
  async commit(partition: number, progress: Progress): Promise<void> {
    if (!this.#owned.includes(partition)) return
    this.#uncommitted.set(partition, progress)
    await this.#commitAll()
  }

  async #join(signal: AbortSignal): Promise<void> {
    for (const startedAt = performance.now(); !signal.aborted; ) {
      try {
        const joined = await this.#orAbort(this.#askToJoin(), signal)
        this.#memberId = joined.memberId
        const owned = await this.#sync(joined)
        // Both at once: what is committed under this generation must be ours in it.
        this.#generation = joined.generationId
        this.#own(owned)
        return
      } catch (error) {
        if (answerOf(error) === 'REBALANCE_IN_PROGRESS') continue
        if (!isPassing(error) || performance.now() - startedAt > SESSION_TIMEOUT_MS + REBALANCE_TIMEOUT_MS) throw error
        this.#of.cluster.forgetCoordinator(this.#of.group)
        await pause(PAUSE_MS, signal)
      }
    }
  }

  async #askToJoin(): Promise<Joined> {
    const { group, topic, alone } = this.#of
    const userData = Buffer.from(JSON.stringify({ owned: this.#owned, generation: this.#generation, alone }))
    const metadata = groupProtocol.metadata.encode({ version: PROTOCOL_VERSION, topics: [topic], userData })
    const line = await this.#line()
    const join = (memberId: string): Promise<Joined> =>
      line.send<Joined>(
        (versions) =>
          requestOf('JoinGroup', versions, {
            groupId: group,
            sessionTimeout: SESSION_TIMEOUT_MS,
            rebalanceTimeout: REBALANCE_TIMEOUT_MS,
            memberId,
            protocolType: 'consumer',
            groupProtocols: [{ name: PROTOCOL, metadata }],
          }),
        REBALANCE_TIMEOUT_MS,
      )
    try {
      return await join(this.#memberId)
    } catch (error) {
      if (answerOf(error) !== 'MEMBER_ID_REQUIRED') throw error
      this.#memberId = (error as { readonly memberId: string }).memberId
      return join(this.#memberId)
    }
  }

  async #sync({ generationId, memberId, leaderId, members }: Joined): Promise<readonly number[]> {
    const { group, topic } = this.#of
    const groupAssignment = leaderId === memberId ? await this.#assign(members) : []
    const line = await this.#line()
    const { memberAssignment } = await line.send<{ readonly memberAssignment: Buffer }>(
      (versions) => requestOf('SyncGroup', versions, { groupId: group, generationId, memberId, groupAssignment }),
      REBALANCE_TIMEOUT_MS,
    )
    return groupProtocol.assignment.decode(memberAssignment)?.assignment[topic] ?? []
  }

  async #assign(members: Joined['members']) {
    const { cluster, topic } = this.#of
    const { partitions } = await cluster.topic(topic)
    const shares = assignPartitions(partitions.length, members.map(memberOf))
    return [...shares].map(([memberId, share]) => ({
      memberId,
      memberAssignment: groupProtocol.assignment.encode({ version: PROTOCOL_VERSION, assignment: { [topic]: share } }),
    }))
  }

  #own(partitions: readonly number[]): void {
    this.#owned = partitions
    for (const partition of this.#uncommitted.keys())
      if (!partitions.includes(partition)) this.#uncommitted.delete(partition)
    this.#of.assigned(partitions)
  }

  /** @returns whether the group wants us to join again */
  async #beatUntilRebalance(signal: AbortSignal): Promise<boolean> {
    for (let heardAt = performance.now(); !signal.aborted; await pause(HEARTBEAT_MS, signal)) {
      try {
        await this.#beat()
        heardAt = performance.now()
        await this.#commitAll()
      } catch (error) {
        if (answerOf(error) === 'REBALANCE_IN_PROGRESS') return true
        if (!isPassing(error) || performance.now() - heardAt > SESSION_TIMEOUT_MS) throw error
        this.#of.cluster.forgetCoordinator(this.#of.group)
      }
    }
    return false
  }

  async #beat(): Promise<void> {
    const line = await this.#line()
    await line.send((versions) =>
      requestOf('Heartbeat', versions, {
        groupId: this.#of.group,
        groupGenerationId: this.#generation,
        memberId: this.#memberId,
      }),
    )
  }

  /** One request at a time; each takes all that waits. */
  #commitAll(): Promise<void> {
    this.#committing = this.#committing.then(() => this.#commitOnce())
    return this.#committing
  }

  async #commitOnce(): Promise<void> {
    if (this.#uncommitted.size === 0) return
    const { cluster, group, topic } = this.#of
    const sent = new Map(this.#uncommitted)
    const partitions = [...sent].map(([partition, progress]) => ({
      partition,
      offset: String(progress.offset),
      metadata: formatProgress(progress),
    }))
    try {
      const line = await cluster.coordinatorLine(group, 'append')
      await line.send((versions) =>
        requestOf('OffsetCommit', versions, {
          groupId: group,
          groupGenerationId: this.#generation,
          memberId: this.#memberId,
          topics: [{ topic, partitions }],
        }),
      )
      for (const [partition, progress] of sent)
        if (this.#uncommitted.get(partition) === progress) this.#uncommitted.delete(partition)
    } catch (error) {
      // It waits for the next heartbeat that is answered; when none is, the membership ends.
      if (isAccessDenied(error) || (!isOfTheBroker(error) && !mayPass(error))) throw error
    }
  }

  async #leave(): Promise<void> {
    const { cluster, group } = this.#of
    if (this.#memberId === '') return
    try {
      await this.#commitAll()
      const line = await this.#line()
      await line.send((versions) => requestOf('LeaveGroup', versions, { groupId: group, memberId: this.#memberId }))
    } catch {
      // Then the group finds out by itself when the session has ended.
    } finally {
      cluster.forgetCoordinator(group)
    }
  }

  /** A line that joining may block, and so nobody else's. */
  #line(): Promise<BrokerLine> {
    return this.#of.cluster.coordinatorLine(this.#of.group, `group ${this.#of.group}`)
  }

  /** Others may keep us waiting for the new generation; whoever wants to stop does not wait for it. */
  async #orAbort<Result>(joining: Promise<Result>, signal: AbortSignal): Promise<Result> {
    const hangUp = (): void =>
      void this.#line().then(
        (line) => line.close(),
        () => {},
      )
    signal.addEventListener('abort', hangUp)
    try {
      return await joining
    } finally {
      signal.removeEventListener('abort', hangUp)
    }
  }
}

/** The answers after which the group no longer counts us in: whoever took our partitions has them by now. */
const expelled: ReadonlySet<string> = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID'])

function isPassing(error: unknown): boolean {
  const answer = answerOf(error)
  if (answer === 'INCONSISTENT_GROUP_PROTOCOL') return false
  return (isOfTheBroker(error) || mayPass(error)) && !isAccessDenied(error) && !expelled.has(answer ?? '')
}

function memberOf({ memberId, memberMetadata }: Joined['members'][number]): Member {
  const { userData } = groupProtocol.metadata.decode(memberMetadata)
  const said = JSON.parse(userData.toString('utf8')) as Omit<Member, 'id'>
  return { id: memberId, ...said }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
