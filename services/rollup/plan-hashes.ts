import { isPlanHash } from './sample-limits.ts'

/** Length of a plan's hash as ticks hold it. */
export const HASH_BYTES = 64

/** Plan hashes by their bytes. A tick names nearly always the plan of the tick before: then no new string is made. */
export class PlanHashes {
  readonly #bytes = new Uint8Array(HASH_BYTES)
  #hash: string | null = null

  /** @returns `null` when the bytes cannot be the hash of a plan */
  hashAt(bytes: Uint8Array, start: number): string | null {
    if (this.#hash === null || !this.#isAt(bytes, start)) this.#learn(bytes.subarray(start, start + HASH_BYTES))
    return this.#hash
  }

  #isAt(bytes: Uint8Array, start: number): boolean {
    const known = this.#bytes
    for (let i = 0; i < HASH_BYTES; i++) if (known[i] !== bytes[start + i]) return false
    return true
  }

  #learn(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('latin1')
    this.#hash = isPlanHash(text) ? text : null
    if (this.#hash !== null) this.#bytes.set(bytes)
  }
}
