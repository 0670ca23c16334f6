import { test } from '@jest/globals'

/**
 * A test that needs something of the machine (root, a tool, a server).
 *
 * @param missing what is not there; `undefined`: all is there, the test runs. Else it is skipped, loudly, with the reason in
 *   its name; with `OBS_REQUIRE_ALL=1` it fails instead
 */
export function testNeeding(
  missing: string | undefined,
  name: string,
  run: () => Promise<void> | void,
  timeoutMs?: number,
): void {
  if (missing === undefined) {
    test(name, run, timeoutMs)
    return
  }
  if (process.env['OBS_REQUIRE_ALL'] === '1') {
    test(name, () => {
      throw new Error(`OBS_REQUIRE_ALL=1, but this test cannot run: ${missing}`)
    })
    return
  }
  process.stderr.write(`\nSKIPPED: ${name}\n  because ${missing}\n`)
  test.skip(`${name} (skipped: ${missing})`, run)
}
