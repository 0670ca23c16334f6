import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { errorCatalogue, exitCodes, isObstreamError, ObstreamError } from '#lib/errors.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Product files that may speak of errors; the catalogue itself is not one of them. */
function sources(): readonly string[] {
  return ['lib', 'services', 'cli', 'bin']
    .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path !== join(ROOT, 'lib/errors.ts'))
}

/** The text without its comments: a code that is only spoken of is not used. */
function codeOf(path: string): string {
  return readFileSync(path, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/.*$/gm, '')
}

const used = new Set(
  sources().flatMap((path) =>
    [...codeOf(path).matchAll(/['"`](OBS_[A-Z]+_[A-Z_]+)['"`:]|errorCatalogue\.(OBS_[A-Z_]+)/g)].map(
      ([, quoted, member]) => quoted ?? member!,
    ),
  ),
)

/** Names of environment variables look the same and are none of our concern. */
const VARIABLES: ReadonlySet<string> = new Set(
  [...used].filter((code) =>
    /^OBS_(API|PUSH)_TOKEN$|^OBS_WEBHOOK_|^OBS_COMMIT_|_(URL|FILE|KEY|ENV|USERNAME|PASSWORD)$/.test(code),
  ),
)

describe('the catalogue of errors', () => {
  test('has every code that the source uses', () => {
    expect([...used].filter((code) => !(code in errorCatalogue) && !VARIABLES.has(code)).toSorted()).toEqual([])
  })

  test('has no code that the source does not use', () => {
    expect(
      Object.keys(errorCatalogue)
        .filter((code) => !used.has(code))
        .toSorted(),
    ).toEqual([])
  })

  test.each(Object.entries(errorCatalogue))(
    '%s has a known exit code and says what it means',
    (code, { exitCode, means }) => {
      expect(code).toMatch(/^OBS_[A-Z]+(_[A-Z]+)+$/)
      expect(Object.values(exitCodes)).toContain(exitCode)
      expect(means).toMatch(/^[A-Z].{20,}\.$/)
    },
  )

  test('docs/errors.md has a row for every code and for nothing else', () => {
    const rows = [
      ...readFileSync(join(ROOT, 'docs/errors.md'), 'utf8').matchAll(/^\| `(OBS_\w+)` \| (\d+) \| (yes|no) \|/gm),
    ]
    expect(rows.map(([, code, exitCode, retryable]) => [code, Number(exitCode), retryable === 'yes'])).toEqual(
      Object.entries(errorCatalogue).map(([code, kind]) => [code, kind.exitCode, kind.retryable]),
    )
  })
})

test('an error knows its exit code and whether to try again', () => {
  const error = new ObstreamError('OBS_LOG_BUSY', 'locked for 10 s', { cause: 'SQLITE_BUSY' })
  expect(error).toMatchObject({ name: 'ObstreamError', exitCode: 75, retryable: true, cause: 'SQLITE_BUSY' })
  expect(isObstreamError(error, 'OBS_LOG_BUSY')).toBe(true)
  expect(isObstreamError(error, 'OBS_LOG_IO')).toBe(false)
  expect(isObstreamError(new Error('OBS_LOG_BUSY'))).toBe(false)
})
