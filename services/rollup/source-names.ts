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
  /** By place: hash and number of a name; a number of 0: the place is free. */
  #hashes = new Int32Array(0)
  #numbers = new Int32Array(0)
  /** By number, from 1: where in `#bytes` a name ends; it begins where the one before ends. */
  #ends: number[] = [0]
  /** By number; `null`: these bytes are no source id. */
  #ids: (string | null)[] = [null]
  #bytes = new Uint8Array(FIRST_BYTES)
  /** By number: the number that came after it the last time. Sources mostly take turns, so it is a good guess. */
  #following: number[] = [0]
  #last = 0

  constructor() {
    this.#allocate(FIRST_PLACES)
  }

  /** The number of a record key: from 1, one more for each new one. Once in 65,536 names all get new numbers. */
  numberOf(bytes: Uint8Array, start: number, length: number): number {
    const guess = this.#following[this.#last]!
    const number = guess > 0 && this.#isName(guess, bytes, start, length) ? guess : this.#find(bytes, start, length)
    this.#following[this.#last] = number
    this.#last = number
    return number
  }

  #find(bytes: Uint8Array, start: number, length: number): number {
    let hash = length
    for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    const mask = this.#hashes.length - 1
    for (let place = firstPlaceOf(hash) & mask; ; place = (place + 1) & mask) {
      const number = this.#numbers[place]!
      if (number === 0) return this.#learn(hash, bytes.subarray(start, start + length))
      if (this.#hashes[place] === hash && this.#isName(number, bytes, start, length)) return number
    }
  }

  /** The source that the key with this number names; `null` when it is no source id. */
  idOf(number: number): string | null {
    return this.#ids[number]!
  }

  #isName(number: number, bytes: Uint8Array, start: number, length: number): boolean {
    const from = this.#ends[number - 1]!
    if (this.#ends[number]! - from !== length) return false
    const known = this.#bytes
    for (let i = 0; i < length; i++) if (known[from + i] !== bytes[start + i]) return false
    return true
  }

  #learn(hash: number, name: Uint8Array): number {
    if (this.#ids.length > MOST_NAMES) this.#forget()
    if (this.#ids.length * 2 >= this.#hashes.length) this.#grow()
    const text = Buffer.from(name).toString('utf8')
    const number = this.#ids.push(isId(text) ? text : null) - 1
    this.#following.push(0)
    this.#keep(name)
    this.#put(hash, number)
    return number
  }

  #keep(name: Uint8Array): void {
    const start = this.#ends.at(-1)!
    const end = start + name.length
    if (end > this.#bytes.length) {
      const longer = new Uint8Array(end * 2)
      longer.set(this.#bytes)
      this.#bytes = longer
    }
    this.#bytes.set(name, start)
    this.#ends.push(end)
  }

  #put(hash: number, number: number): void {
    const mask = this.#hashes.length - 1
    let place = firstPlaceOf(hash) & mask
    while (this.#numbers[place] !== 0) place = (place + 1) & mask
    this.#hashes[place] = hash
    this.#numbers[place] = number
  }

  #grow(): void {
    const [hashes, numbers] = [this.#hashes, this.#numbers]
    this.#allocate(hashes.length * 2)
    numbers.forEach((number, i) => {
      if (number > 0) this.#put(hashes[i]!, number)
    })
  }

  #forget(): void {
    this.#ends = [0]
    this.#ids = [null]
    this.#following = [0]
    this.#last = 0
    this.#allocate(FIRST_PLACES)
  }

  #allocate(places: number): void {
    this.#hashes = new Int32Array(places)
    this.#numbers = new Int32Array(places)
  }
}

/** The high bits of the hash are the better mixed ones. */
function firstPlaceOf(hash: number): number {
  return hash ^ (hash >>> 15)
}
