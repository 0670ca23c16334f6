import type { ArtefactFile } from '#lib/facts.ts'
import { compareText } from './csv.ts'

/**
 * What `sha256sum -c` reads, run inside of `folder`: one line `<sha256>  <path>` a file, sorted by path.
 *
 * @param files of that folder, whose names need no escapes
 */
export function checksumList(folder: string, files: readonly Pick<ArtefactFile, 'path' | 'sha256'>[]): Buffer {
  const lines = files
    .map(({ path, sha256 }) => ({ name: path.slice(folder.length + 1), sha256 }))
    .sort((a, b) => compareText(a.name, b.name))
    .map(({ name, sha256 }) => `${sha256}  ${name}\n`)
  return Buffer.from(lines.join(''))
}
