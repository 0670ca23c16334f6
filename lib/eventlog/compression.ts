import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'

/** How the records of a batch are packed. */
export type Compression = 'none' | 'gzip' | 'zstd'

/** Kafka's numbers, the lowest three bits of a batch's attributes. */
export const compressionCodes: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, zstd: 4 }

/** Names of all numbers that Kafka knows. */
export const compressionNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** Most bytes that a batch may unpack to, so that a small hostile one cannot fill the memory. */
export const MAX_PAYLOAD_BYTES = 67_108_864

/** Packs the records section of a batch. */
export function compress(payload: Buffer, compression: Compression): Buffer {
  if (compression === 'gzip') return gzipSync(payload)
  if (compression === 'zstd') return zstdCompressSync(payload)
  return payload
}

/**
 * Unpacks the records section of a batch.
 *
 * @throws RangeError when the bytes are not of that form or larger than `MAX_PAYLOAD_BYTES`
 */
export function decompress(packed: Buffer, code: number): Buffer {
  if (code === compressionCodes.none) return packed
  const unpack =
    code === compressionCodes.gzip ? gunzipSync : code === compressionCodes.zstd ? zstdDecompressSync : undefined
  const name = compressionNames[code] ?? `number ${code}`
  if (!unpack) throw new RangeError(`it is compressed with ${name}; obstream reads none, gzip and zstd`)
  try {
    return unpack(packed, { maxOutputLength: MAX_PAYLOAD_BYTES })
  } catch (error) {
    throw new RangeError(`its records do not unpack with ${name}`, { cause: error })
  }
}
