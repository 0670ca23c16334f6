import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** A partition as the broker names it. */
export interface Place {
  /** With its prefix. */
  readonly topic: string
  readonly partition: number
}

/** The files of a partition's segments, in order. @param dataFolder of the broker */
export function segmentFiles(dataFolder: string, { topic, partition }: Place): readonly string[] {
  const folder = join(dataFolder, `${topic}-${partition}`)
  const names = readdirSync(folder).filter((name) => name.endsWith('.log'))
  return names.toSorted().map((name) => join(folder, name))
}
