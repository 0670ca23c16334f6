/** A broker and a registry that all tests of a run share: nobody stops them, each test takes topics and groups of its own. */
export interface SharedKafka {
  /** `host:port` */
  readonly bootstrap: string
  /** Compatibility is BACKWARD. */
  readonly registryUrl: string
}

/** Where Jest's own process listens (`shared-host.ts`); its workers find it in their environment. */
export const SHARED_HOST = 'OBS_TEST_SHARED_KAFKA'

/** Starts them the first time that a test of this run asks: about 10 s, so call it in a `beforeAll` with patience. */
export async function sharedKafka(): Promise<SharedKafka> {
  const response = await fetch(process.env[SHARED_HOST]!, { signal: AbortSignal.timeout(180_000) })
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as SharedKafka
}
