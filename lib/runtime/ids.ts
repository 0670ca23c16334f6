import { randomUUID } from 'node:crypto'

/** The only way to chance, for run ids. Folds never see one. */
export interface Ids {
  /** Unique in the world. */
  next(): string
}

export const randomIds: Ids = { next: () => randomUUID() }
