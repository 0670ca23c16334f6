/** What a member of a group says of itself when it joins. */
export interface Member {
  readonly id: string
  /** The partitions it had in the generation before. */
  readonly owned: readonly number[]
  /** The generation that gave them to it; -1: none. */
  readonly generation: number
  /** Wants all partitions or none, so nobody else gets any while it is there. */
  readonly alone: boolean
}

/**
 * Who gets which partition: whoever had it keeps it, as far as the shares stay even, since a partition that moves must be
 * restored elsewhere first. The same for the same members, whoever decides.
 *
 * @param partitions how many there are
 * @returns partitions by member id, each in order
 */
export function assignPartitions(partitions: number, members: readonly Member[]): ReadonlyMap<string, number[]> {
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  const shares = new Map(sorted(members).map(({ id }) => [id, [] as number[]]))
  const alone = sorted(members).find((member) => member.alone)
  if (alone) return shares.set(alone.id, all)
  const free = new Set(all)
  const room = roomOf(partitions, shares.size)
  for (const { id, owned } of newestFirst(members))
    for (const partition of owned)
      if (free.has(partition) && room.takes(shares.get(id)!.length)) {
        free.delete(partition)
        shares.get(id)!.push(partition)
      }
  for (const partition of free) smallest(shares).push(partition)
  for (const share of shares.values()) share.sort((a, b) => a - b)
  return shares
}

/** Everybody may have the smaller share; one more goes to as many members as there are partitions left over. */
function roomOf(partitions: number, members: number): { takes(size: number): boolean } {
  const small = Math.floor(partitions / members)
  let larger = partitions % members
  return { takes: (size) => size < small || (size === small && larger-- > 0) }
}

/** A claim of a newer generation beats one of an older, which was cut off meanwhile. */
function newestFirst(members: readonly Member[]): readonly Member[] {
  return sorted(members).sort((a, b) => b.generation - a.generation)
}

function sorted(members: readonly Member[]): Member[] {
  return [...members].sort((a, b) => (a.id < b.id ? -1 : 1))
}

function smallest(shares: ReadonlyMap<string, number[]>): number[] {
  return [...shares.values()].reduce((least, share) => (share.length < least.length ? share : least))
}
