import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import type { SeenRecord } from './seen-record.ts'

/** Why `kcat` cannot be run here: a Kafka client on librdkafka, with which we compare. */
export function kcatMissing(): string | undefined {
  return spawnSync('kcat', ['-V']).status === 0 ? undefined : 'kcat is not installed (apt-get install kcat)'
}

/** Clients' settings of librdkafka: `security.protocol`, … */
export type KcatSettings = Readonly<Record<string, string>>

/** What stands before a record: offset, time, and how many bytes its key and its value have. */
const LENGTHS = /^(\d+) (\d+) (-?\d+) (-?\d+) /

/** One client of one cluster, in a process of its own for each call. Every call ends within 30 s or throws. */
export class Kcat {
  readonly #common: readonly string[]

  constructor(bootstrap: readonly string[], settings: KcatSettings = {}) {
    const all = { 'bootstrap.servers': bootstrap.join(','), 'message.timeout.ms': '25000', ...settings }
    this.#common = Object.entries(all).flatMap(([name, value]) => ['-X', `${name}=${value}`])
  }

  /** Appends one record for each value, acknowledged by all in-sync replicas. */
  async produce(topic: string, ...values: readonly string[]): Promise<void> {
    await this.#run(['-P', '-t', topic, '-p', '0', '-X', 'acks=all'], values.join('\n'))
  }

  /** Values of partition 0, from its beginning to its present end. */
  async consume(topic: string): Promise<readonly string[]> {
    const printed = await this.#run(['-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q'])
    return printed.split('\n').slice(0, -1)
  }

  /**
   * Appends one record for each pair of key and value to partition 0, acknowledged by all in-sync replicas. An empty text
   * is null.
   *
   * @param flags more of them, such as `-z gzip` for compression and `-H name=value` for a header
   */
  async produceKeyed(
    topic: string,
    pairs: readonly (readonly [key: string, value: string])[],
    ...flags: readonly string[]
  ): Promise<void> {
    const lines = pairs.map(([key, value]) => `${key}\t${value}`).join('\n')
    await this.#run(['-P', '-t', topic, '-p', '0', '-K', '\\t', '-Z', '-X', 'acks=all', ...flags], lines)
  }

  /** What a partition holds now. */
  async records(topic: string, partition = 0): Promise<readonly SeenRecord[]> {
    const from = ['-C', '-t', topic, '-p', String(partition), '-o', 'beginning', '-e', '-q']
    const printed = await this.#run([...from, '-f', '%o %T %K %S %k%s%h\\n'], '', 'latin1')
    const records: SeenRecord[] = []
    for (let at = 0; at < printed.length; ) {
      const [head, offset, timestamp, keyBytes, valueBytes] = LENGTHS.exec(printed.slice(at, at + 100))!
      const keyAt = at + head.length
      const valueAt = keyAt + Math.max(0, Number(keyBytes))
      const headersAt = valueAt + Math.max(0, Number(valueBytes))
      const end = printed.indexOf('\n', headersAt)
      records.push({
        offset: Number(offset),
        timestampMs: Number(timestamp),
        key: printed.slice(keyAt, valueAt),
        value: valueBytes === '-1' ? null : printed.slice(valueAt, headersAt),
        headers: printed.slice(headersAt, end),
      })
      at = end + 1
    }
    return records
  }

  /** `offset:key` of what a partition holds now. */
  async places(topic: string, partition = 0): Promise<readonly string[]> {
    return (await this.records(topic, partition)).map(({ offset, key }) => `${offset}:${key}`)
  }

  /** Node id of the leader of partition 0; -1 while there is none. */
  async leader(topic: string): Promise<number> {
    const { topics } = JSON.parse(await this.#run(['-L', '-J', '-t', topic]))
    return topics[0].partitions[0].leader
  }

  async #run(args: readonly string[], input = '', encoding: BufferEncoding = 'utf8'): Promise<string> {
    const limits = { timeout: 30_000, maxBuffer: 67_108_864, encoding }
    const running = promisify(execFile)('kcat', [...args, ...this.#common], limits)
    // When kcat ends before it has read everything, its exit code says why.
    running.child.stdin!.on('error', () => {}).end(input)
    return (await running).stdout
  }
}
