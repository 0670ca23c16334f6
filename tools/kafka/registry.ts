export interface RegistryOptions {
  /** Of every subject that says nothing else. Default BACKWARD. */
  readonly compatibility?: 'NONE' | `${'BACKWARD' | 'FORWARD' | 'FULL'}${'' | '_TRANSITIVE'}`
}

/** Where a registry on that port of 127.0.0.1 speaks Confluent's protocol. */
export function registryUrl(port: number): string {
  return `http://127.0.0.1:${port}/apis/ccompat/v7`
}

/** Apicurio accepts everything until it is told otherwise. */
export async function setCompatibility(url: string, compatibility: string): Promise<void> {
  const response = await fetch(`${url}/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ compatibility }),
    signal: AbortSignal.timeout(10_000),
  })
  if (!response.ok) throw new Error(`${url}/config answered ${response.status}: ${await response.text()}`)
}
