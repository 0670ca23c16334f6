import type { JobFact, JobFinished, JobStarted } from '#lib/facts.ts'
import { type Instant, SECOND_MS } from '#lib/time.ts'

/** What the log says of one slot of a job. */
export interface SlotHistory {
  /** The first `started` of the slot, whether it counts or not. */
  readonly start: JobStarted | null
  /**
   * Whether the start counts. It does not when it came while another slot was open, after its own slot had ended, or with a
   * cut before that of an earlier start: then the slot is never run.
   */
  readonly counts: boolean
  /** One per attempt, in the order of the log. */
  readonly ends: readonly JobFinished[]
}

const nothingKnown: SlotHistory = { start: null, counts: false, ends: [] }

/**
 * Folds the facts of one job. Everybody who reads the same log decides the same way which starts count.
 *
 * The first record of a key is the fact, later ones are copies. Dry runs are remembered by slot, but hold nobody up and
 * count for nobody.
 */
export class JobHistory {
  readonly #keys = new Set<string>()
  readonly #slots = new Map<string, SlotHistory>()
  readonly #starts: JobStarted[] = []
  #open: JobStarted | null = null
  #lastOk: JobFinished | null = null

  /** Takes the next record. @returns whether it is a fact: the first of its key */
  take(key: string, fact: JobFact): boolean {
    if (this.#keys.has(key)) return false
    this.#keys.add(key)
    if (fact.type === 'started') this.#start(fact)
    else if (fact.status !== 'skipped') this.#end(fact)
    return true
  }

  /** Starts that count, in the order of the log. Their cuts never go back. */
  get starts(): readonly JobStarted[] {
    return this.#starts
  }

  /** The start that counts and has not ended. There is never more than one. */
  get open(): JobStarted | null {
    return this.#open
  }

  /** The newest end with status `ok`. */
  get lastOk(): JobFinished | null {
    return this.#lastOk
  }

  /** How a start that counts went well; `null`: it has not. */
  okEnd({ slotAt, dryRun }: JobStarted): JobFinished | null {
    return this.slot(slotAt, dryRun).ends.find(({ status }) => status === 'ok') ?? null
  }

  slot(slotAt: Instant, dryRun: boolean): SlotHistory {
    return this.#slots.get(slotName(slotAt, dryRun)) ?? nothingKnown
  }

  #start(start: JobStarted): void {
    const slot = this.slot(start.slotAt, start.dryRun)
    const newestCutAt = this.#starts.at(-1)?.cutTickAt ?? Number.NEGATIVE_INFINITY
    const isFree = start.dryRun || (this.#open === null && start.cutTickAt >= newestCutAt)
    const counts = isFree && slot.ends.length === 0
    this.#slots.set(slotName(start.slotAt, start.dryRun), { ...slot, start, counts })
    if (!counts || start.dryRun) return
    this.#starts.push(start)
    this.#open = start
  }

  #end(end: JobFinished): void {
    const slot = this.slot(end.slotAt, end.dryRun)
    this.#slots.set(slotName(end.slotAt, end.dryRun), { ...slot, ends: [...slot.ends, end] })
    if (end.dryRun) return
    if (this.#open?.slotAt === end.slotAt) this.#open = null
    if (end.status === 'ok') this.#lastOk = end
  }
}

/** Keys hold seconds: two slots of one second are one. */
function slotName(slotAt: Instant, dryRun: boolean): string {
  return `${Math.floor(slotAt / SECOND_MS)}${dryRun ? '/dry-run' : ''}`
}
