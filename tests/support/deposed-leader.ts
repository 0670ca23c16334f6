import type { EventLog, PartitionOffsets } from '#lib/eventlog/port.ts'

export interface Deposed {
  readonly topic: string
  /** How often it tells the end of an empty topic. */
  readonly lies: number
  /** What the log says of how long that may go on. */
  readonly endsLagMs: number
}

/** A log whose broker, asked for the ends of a topic, tells those of an empty one for a while, as a leader that was deposed may do. */
export function behindDeposedLeader(log: EventLog, { topic, lies, endsLagMs }: Deposed): EventLog {
  let left = lies
  const offsets = async (asked: string, at?: number): Promise<readonly PartitionOffsets[]> => {
    const places = await log.offsets(asked, at)
    return asked === topic && left-- > 0 ? places.map((place) => ({ ...place, end: 0, atOrAfter: 0 })) : places
  }
  return new Proxy(log, {
    get(target, name) {
      if (name === 'offsets') return offsets
      if (name === 'endsLagMs') return endsLagMs
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
