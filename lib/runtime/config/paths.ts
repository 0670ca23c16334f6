import { isAbsolute, join } from 'node:path'

/** Every path of the configuration starts at the data directory. */
export function absolutePath(dataDir: string, path: string): string {
  return isAbsolute(path) ? path : join(dataDir, path)
}
