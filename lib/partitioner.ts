const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995
const ROTATION = 24

/**
 * MurmurHash2 (32 bit, little endian) with the seed of Kafka's Java client.
 *
 * @returns a signed 32-bit integer, as Java's `Utils.murmur2`
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  const wholeBytes = length & ~3
  let hash = SEED ^ length
  for (let i = 0; i < wholeBytes; i += 4) {
    let word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    word = Math.imul(word, MULTIPLIER)
    word ^= word >>> ROTATION
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER)
  }
  const rest = length - wholeBytes
  if (rest > 0) {
    if (rest === 3) hash ^= bytes[wholeBytes + 2]! << 16
    if (rest >= 2) hash ^= bytes[wholeBytes + 1]! << 8
    hash = Math.imul(hash ^ bytes[wholeBytes]!, MULTIPLIER)
  }
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER)
  return hash ^ (hash >>> 15)
}

/** The partition of a source's samples: that of Kafka's Java client for the same key, so any client finds it. */
export function partitionOf(source: string, partitions: number): number {
  return (murmur2(Buffer.from(source, 'utf8')) & 0x7fffffff) % partitions
}
