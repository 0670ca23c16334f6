import { describe, expect, test } from '@jest/globals'
import { murmur2, partitionOf } from '#lib/partitioner.ts'

describe('murmur2', () => {
  // Published vectors: UtilsTest.testMurmur2 of Apache Kafka's Java client.
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])("gives %s the hash of Kafka's Java client", (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash)
  })

  test('sends negative hashes to a partition, too, as Java does by clearing the sign', () => {
    expect(partitionOf('21', 7)).toBe((-973932308 & 0x7fffffff) % 7)
  })

  test('hashes the UTF-8 bytes of an id and stays within the partitions', () => {
    for (const source of ['a', 'router_demo', '口座_α', 'job.latency']) {
      expect(partitionOf(source, 1)).toBe(0)
      expect(partitionOf(source, 32)).toBeGreaterThanOrEqual(0)
      expect(partitionOf(source, 32)).toBeLessThan(32)
    }
  })
})
