import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { Expected } from './exhibit.ts'
import { digests, type RecordedDesk } from './recorded-desk.ts'

/** What follows from a log, as hashes: the same for the same log, on whatever it was played. */
export type Outcome = Pick<Expected, 'topics' | 'artefacts'>

/** The facts on a desk's log, and every file of its data directory. */
export async function outcomeOf({ env }: RecordedDesk): Promise<Outcome> {
  const { dataDir } = env.config
  const artefacts: Record<string, string> = {}
  const found = await readdir(dataDir, { recursive: true, withFileTypes: true })
  const paths = found.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  for (const path of paths.toSorted()) artefacts[path.slice(dataDir.length + 1)] = sha256Hex(readFileSync(path))
  return { topics: await digests(env), artefacts }
}
