import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { javaMissing, KAFKA_VERSIONS, kafkaLibraries } from '#tools/kafka/libraries.ts'
import type { SeenRecord } from './seen-record.ts'

/** Why Kafka's own command line tools cannot be run here. */
export const kafkaToolsMissing = javaMissing

/**
 * Runs one of Apache Kafka's own tools to its end, in a JVM of its own; every call ends within 60 s or throws.
 *
 * @param tool its class, e.g. `org.apache.kafka.tools.TopicCommand`
 * @param input what it reads from stdin
 * @returns what it printed on stdout, a character for each byte
 * @throws with both of its outputs when it fails
 */
export async function kafkaTool(tool: string, args: readonly string[], input: Buffer | string = ''): Promise<string> {
  const libraries = await kafkaLibraries(KAFKA_VERSIONS[0])
  const java = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dstdout.encoding=UTF-8']
  const limits = { timeout: 60_000, maxBuffer: 67_108_864, encoding: 'latin1' } as const
  const running = promisify(execFile)('java', [...java, '-cp', `${libraries}/*`, tool, ...args], limits)
  running.child.stdin!.end(input)
  return (await running).stdout
}

/** Between the parts of a record, and behind it: no key, value or header of a test's holds them. */
const [BETWEEN, BEHIND] = ['<between>', '<behind>\n']

/** The first records of a partition, as Kafka's console consumer prints them. @param count at least so many are there */
export async function consoleConsume(
  bootstrap: readonly string[],
  place: { readonly topic: string; readonly partition: number },
  count: number,
): Promise<readonly SeenRecord[]> {
  const prints = ['timestamp', 'offset', 'headers', 'key', 'value'].map((part) => `print.${part}=true`)
  const marks = [`key.separator=${BETWEEN}`, `line.separator=${BEHIND}`, 'null.literal=<null>']
  const printed = await kafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...['--bootstrap-server', bootstrap.join(), '--topic', place.topic, '--partition', String(place.partition)],
    ...['--offset', 'earliest', '--max-messages', String(count), '--timeout-ms', '20000'],
    ...[...prints, ...marks].flatMap((property) => ['--property', property]),
  ])
  return printed
    .split(BEHIND)
    .slice(0, -1)
    .map((line): SeenRecord => {
      const [timestamp, offset, headers, key, value] = line.split(BETWEEN)
      return {
        offset: Number(offset!.replace('Offset:', '')),
        timestampMs: Number(timestamp!.replace('LogAppendTime:', '')),
        key: key === '<null>' ? '' : key!,
        value: value === '<null>' ? null : value!,
        headers: headers === 'NO_HEADERS' ? '' : headers!.replace(/(^|,)([^:,]*):/g, '$1$2='),
      }
    })
}

/** A topic as `kafka-topics` describes it. */
export interface DescribedTopic {
  readonly partitions: number
  readonly replication: number
  /** Those that were set for this topic. */
  readonly settings: Readonly<Record<string, string>>
}

const TOPIC =
  /^Topic: (?<name>\S+)\s+TopicId: \S+\s+PartitionCount: (?<partitions>\d+)\s+ReplicationFactor: (?<replication>\d+)\s+Configs: (?<settings>.*)$/
/** A value may have commas in it. */
const SETTING = /(?<name>[a-z.]+)=(?<value>.*?)(?=,[a-z.]+=|$)/g

/** What Kafka's own tool tells of topics, by name. @param pattern a regular expression of Java */
export async function describeTopics(
  bootstrap: string,
  pattern: string,
): Promise<Readonly<Record<string, DescribedTopic>>> {
  const args = ['--bootstrap-server', bootstrap, '--describe', '--topic', pattern]
  const described = await kafkaTool('org.apache.kafka.tools.TopicCommand', args)
  const topics: Record<string, DescribedTopic> = {}
  for (const line of described.split('\n')) {
    const topic = TOPIC.exec(line)?.groups
    if (!topic) continue
    const settings = Array.from(topic['settings']!.matchAll(SETTING), ({ groups }) => [
      groups!['name']!,
      groups!['value']!,
    ])
    topics[topic['name']!] = {
      partitions: Number(topic['partitions']),
      replication: Number(topic['replication']),
      settings: Object.fromEntries(settings),
    }
  }
  return topics
}

/** A batch as `DumpLogSegments` sees it in a segment's file. */
export interface DumpedBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly count: number
  /** `none`, `gzip`, … */
  readonly compression: string
  readonly isValid: boolean
  readonly records: readonly DumpedRecord[]
}

export interface DumpedRecord {
  readonly offset: number
  readonly keyBytes: number
  /** -1 for null. */
  readonly valueBytes: number
  readonly headerNames: string
}

const BATCH =
  /^baseOffset: (?<base>\d+) lastOffset: (?<last>\d+) count: (?<count>\d+) .* compresscodec: (?<codec>\w+) crc: \d+ isvalid: (?<isValid>\w+)$/
const RECORD =
  /^\| offset: (?<offset>\d+) .*keySize: (?<key>-?\d+) valueSize: (?<value>-?\d+) .*headerKeys: \[(?<headers>[^\]]*)\]/

/** What Kafka's own reader of segment files finds in them. */
export async function dumpSegments(files: readonly string[]): Promise<readonly DumpedBatch[]> {
  const dump = await kafkaTool('kafka.tools.DumpLogSegments', ['--print-data-log', '--files', files.join(',')])
  const batches: (DumpedBatch & { readonly records: DumpedRecord[] })[] = []
  for (const line of dump.split('\n')) {
    const batch = BATCH.exec(line)?.groups
    const record = RECORD.exec(line)?.groups
    if (batch)
      batches.push({
        baseOffset: Number(batch['base']),
        lastOffset: Number(batch['last']),
        count: Number(batch['count']),
        compression: batch['codec']!.toLowerCase(),
        isValid: batch['isValid'] === 'true',
        records: [],
      })
    else if (record)
      batches.at(-1)!.records.push({
        offset: Number(record['offset']),
        keyBytes: Math.max(0, Number(record['key'])),
        valueBytes: Number(record['value']),
        headerNames: record['headers']!,
      })
  }
  return batches
}
