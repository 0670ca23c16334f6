import { isId } from '#lib/keys.ts'

/** More sources than any log of ours has; beyond it somebody writes keys that are never seen again. */
const MOST_NAMES = 65_536
const FIRST_PLACES = 1024
const FIRST_BYTES = 16_384

/**
 * Source ids by the bytes of record keys, so that the ten-millionth sample of a source makes no new string.
 *
 * A hash table in columns: what a look-up compares lies side by side in memory.
 */
export class SourceNames {
  #hashes = new Int32Array(0)
  /** Where in `#bytes` a name begins, and how long it is; 0: the place is free. */
  #starts = new Int32Array(0)
  #lengths = new Int32Array(0)
  /** `null`: these bytes are no source id. */
  #ids: (string | null)[] = []
  #bytes = new Uint8Array(FIRST_BYTES)
  #used = 0
  #count = 0

  constructor() {
    this.#allocate(FIRST_PLACES)
  }

  /** The source that a record key of at least one byte names; `null` when it is no source id. */
  idOf(bytes: Uint8Array, start: number, length: number): string | null {
    let hash = length
    for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    const mask = this.#hashes.length - 1
    for (let place = placeOf(hash) & mask; ; place = (place + 1) & mask) {
      if (this.#lengths[place] === 0) return this.#learn(hash, bytes.subarray(start, start + length))
      if (this.#hashes[place] === hash && this.#isAt(place, bytes, start, length)) return this.#ids[place]!
    }
  }

  #isAt(place: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (this.#lengths[place] !== length) return false
    const known = this.#bytes
    for (let i = 0, at = this.#starts[place]!; i < length; i++, at++) if (known[at] !== bytes[start + i]) return false
    return true
  }

  #learn(hash: number, name: Uint8Array): string | null {
    const text = Buffer.from(name).toString('utf8')
    const id = isId(text) ? text : null
    if (this.#count === MOST_NAMES) this.#forget()
    if (this.#count * 2 >= this.#hashes.length) this.#grow()
    this.#put(hash, this.#keep(name), name.length, id)
    return id
  }

  #keep(name: Uint8Array): number {
    if (this.#used + name.length > this.#bytes.length) {
      const longer = new Uint8Array((this.#used + name.length) * 2)
      longer.set(this.#bytes)
      this.#bytes = longer
    }
    const start = this.#used
    this.#bytes.set(name, start)
    this.#used += name.length
    return start
  }

  #put(hash: number, start: number, length: number, id: string | null): void {
    const mask = this.#hashes.length - 1
    let place = placeOf(hash) & mask
    while (this.#lengths[place] !== 0) place = (place + 1) & mask
    this.#hashes[place] = hash
    this.#starts[place] = start
    this.#lengths[place] = length
    this.#ids[place] = id
    this.#count++
  }

  #grow(): void {
    const [hashes, starts, lengths, ids] = [this.#hashes, this.#starts, this.#lengths, this.#ids]
    this.#allocate(hashes.length * 2)
    lengths.forEach((length, i) => {
      if (length > 0) this.#put(hashes[i]!, starts[i]!, length, ids[i]!)
    })
  }

  #forget(): void {
    this.#used = 0
    this.#allocate(FIRST_PLACES)
  }

  #allocate(places: number): void {
    this.#hashes = new Int32Array(places)
    this.#starts = new Int32Array(places)
    this.#lengths = new Int32Array(places)
    this.#ids = new Array(places).fill(null)
    this.#count = 0
  }
}

/** The high bits of the hash are the better mixed ones. */
function placeOf(hash: number): number {
  return hash ^ (hash >>> 15)
}
