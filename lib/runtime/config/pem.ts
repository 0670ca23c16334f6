import { readFileSync } from 'node:fs'

/** @param path absolute */
export function readPem(path: string): string {
  return readFileSync(path, 'utf8')
}

/** Why a file cannot be used for certificates or keys, and what to do; `undefined`: it can. */
export function pemProblem(path: string): string | undefined {
  try {
    return readPem(path).includes('-----BEGIN ')
      ? undefined
      : `${path} holds no PEM; it begins with a line like -----BEGIN CERTIFICATE-----`
  } catch (error) {
    return `${path} cannot be read (${(error as NodeJS.ErrnoException).code}); correct the path or its permissions`
  }
}
