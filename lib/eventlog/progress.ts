import { type Cause, formatCause, parseCause } from '#lib/cause.ts'
import type { Instant } from '#lib/time.ts'
import type { Offset, Progress } from './port.ts'

const VERSION = 'v1'
const ABSENT = '-'

/** `v1 mark position floor done reached`: everything of a commit but its offset, which the log keeps beside it. */
export function formatProgress(progress: Progress): string {
  const { mark, position, floor, done, reached } = progress
  return [VERSION, formatCause(mark), formatCause(position), optional(floor), optional(done), reached ?? ABSENT].join(
    ' ',
  )
}

function optional(cause: Cause | null): string {
  return cause === null ? ABSENT : formatCause(cause)
}

/** Reads what `formatProgress` wrote. @returns `undefined` for anything else, e.g. a commit of another program */
export function parseProgress(offset: Offset, text: string): Progress | undefined {
  const [version, mark, position, floor, done, reached, ...more] = text
    .split(' ')
    .map((part) => (part === ABSENT ? null : part))
  if (version !== VERSION || more.length > 0) return undefined
  const progress = {
    offset,
    mark: causeOf(mark),
    position: causeOf(position),
    floor: causeOf(floor),
    done: causeOf(done),
    reached: instantOf(reached),
  }
  if (Object.values(progress).includes(undefined) || progress.mark === null || progress.position === null)
    return undefined
  return progress as Progress
}

function causeOf(part: string | null | undefined): Cause | null | undefined {
  return typeof part === 'string' ? parseCause(part) : part
}

function instantOf(part: string | null | undefined): Instant | null | undefined {
  if (typeof part !== 'string') return part
  const instant = Number(part)
  return Number.isSafeInteger(instant) && String(instant) === part ? instant : undefined
}
