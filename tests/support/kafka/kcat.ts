import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'

/** Why `kcat` cannot be run here: a Kafka client on librdkafka, with which we compare. */
export function kcatMissing(): string | undefined {
  return spawnSync('kcat', ['-V']).status === 0 ? undefined : 'kcat is not installed (apt-get install kcat)'
}

/** Clients' settings of librdkafka: `security.protocol`, … */
export type KcatSettings = Readonly<Record<string, string>>

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

  /** Node id of the leader of partition 0; -1 while there is none. */
  async leader(topic: string): Promise<number> {
    const { topics } = JSON.parse(await this.#run(['-L', '-J', '-t', topic]))
    return topics[0].partitions[0].leader
  }

  async #run(args: readonly string[], input = ''): Promise<string> {
    const running = promisify(execFile)('kcat', [...args, ...this.#common], { timeout: 30_000 })
    // When kcat ends before it has read everything, its exit code says why.
    running.child.stdin!.on('error', () => {}).end(input)
    return (await running).stdout
  }
}
