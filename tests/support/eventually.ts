/**
 * Waits for a fact.
 *
 * @param fact tried again on every turn of the event loop until it gives something else than `undefined` or `false`
 * @throws when it is not so after `deadlineMs` of real time
 */
export async function eventually<T>(
  fact: () => T | Promise<T>,
  deadlineMs = 10_000,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const value = await fact()
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
    if (performance.now() > deadline) throw new Error(`this did not come true within ${deadlineMs} ms: ${fact}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
