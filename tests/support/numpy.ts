import { spawnSync } from 'node:child_process'

/** Debian's Python has Debian's numpy, also where another Python stands first on the PATH. */
const PYTHONS = ['python3', '/usr/bin/python3']

/** A Python whose numpy knows percentiles by `inverted_cdf` (1.22 or newer). */
function findPython(): string | undefined {
  const probe = "import numpy; numpy.percentile([1], 50, method='inverted_cdf')"
  return PYTHONS.find((python) => spawnSync(python, ['-c', probe]).status === 0)
}

/** Why numpy cannot be asked here; `undefined` when it can. */
export function numpyMissing(): string | undefined {
  return findPython() === undefined ? 'there is no numpy of 1.22 or newer (apt-get install python3-numpy)' : undefined
}

/**
 * p50, p95, number and maximum of each list, by numpy.
 *
 * @throws Error when Python fails
 */
export function numpyFigures(lists: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const script = `
import json, sys, numpy
percentile = lambda values, percent: int(numpy.percentile(values, percent, method='inverted_cdf'))
lists = json.load(sys.stdin)
print(json.dumps([[percentile(each, 50), percentile(each, 95), len(each), max(each)] for each in lists]))`
  const { status, stdout, stderr } = spawnSync(findPython()!, ['-c', script], {
    input: JSON.stringify(lists),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (status !== 0) throw new Error(`numpy failed: ${stderr}`)
  return JSON.parse(stdout)
}
