import { InvalidArgumentError, Option } from 'commander'
import type { Offset, PartitionOffsets } from '#lib/eventlog/port.ts'
import type { RecordBatch } from '#lib/eventlog/record-batch.ts'
import type { Instant } from '#lib/time.ts'
import { parseInstant } from '#lib/time.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import { catalogue, findTopic } from '#lib/topics.ts'
import { openReadableLog } from './existing-log.ts'
import { probablyMeant } from './nearest.ts'
import type { Program } from './program.ts'
import { examples } from './program.ts'
import { RecordText } from './record-text.ts'
import type { Session } from './session.ts'
import type { Terminal } from './terminal.ts'

/** Where to begin: an end of the log, an offset of every partition, or what was appended at or after an instant. */
export type TailFrom = 'earliest' | 'latest' | { readonly offset: Offset } | { readonly at: Instant }

interface TailFlags {
  readonly follow?: boolean
  readonly from?: TailFrom
}

/** `obstream tail <topic>`. */
export function tailCommand(program: Program): void {
  program.root
    .command('tail')
    .description('print the records of a topic, one a line: key, hash of the fact, value')
    .argument('<topic>', 'e.g. obs.window.v1, or just window', topicNamed)
    .option('-f, --follow', 'wait for further records until Ctrl-C')
    .addOption(
      new Option(
        '--from <where>',
        'earliest, latest, an offset, or an instant (default: earliest; latest with --follow)',
      ).argParser(parseFrom),
    )
    .addHelpText(
      'after',
      examples([
        'obstream tail window',
        'obstream tail obs.alert.v1 --follow',
        'obstream tail sample --from 2026-06-27T23:00:00Z --json',
      ]),
    )
    .action(program.action(tail, (command) => [command.processedArgs[0] as TopicDefinition, command.opts<TailFlags>()]))
}

function topicNamed(name: string): TopicDefinition {
  const topic = findTopic(name) ?? findTopic(`obs.${name}.v1`)
  if (topic) return topic
  const names = catalogue.map((known) => known.name)
  const meant = probablyMeant(name, [...names.map(shortName), ...names])
  throw new InvalidArgumentError(
    `There is no such topic${meant ? `; did you mean ${meant}?` : '.'} The catalogue has ${names.join(', ')}.`,
  )
}

/** `window` of `obs.window.v1`. */
function shortName(name: string): string {
  return name.replace(/^obs\.(.+)\.v1$/, '$1')
}

function parseFrom(text: string): TailFrom {
  if (text === 'earliest' || text === 'latest') return text
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) }
  const at = parseInstant(text)
  if (at === undefined)
    throw new InvalidArgumentError(
      'Write earliest, latest, an offset such as 120, or an instant such as 2026-06-27T23:00:00Z.',
    )
  return { at }
}

/** What of one partition is printed: `first <= offset < end`. */
interface Range {
  readonly partition: number
  readonly first: Offset
  readonly end: Offset
}

async function tail(session: Session, topic: TopicDefinition, flags: TailFlags): Promise<undefined> {
  const { follow = false, from = follow ? 'latest' : 'earliest' } = flags
  const { log, registry } = await openReadableLog(session)
  try {
    const text = new RecordText(topic, registry)
    const places = await log.offsets(topic.name, typeof from === 'object' && 'at' in from ? from.at : undefined)
    const ranges = places.map((place) => ({
      partition: place.partition,
      first: startOf(place, from),
      end: follow ? Number.POSITIVE_INFINITY : place.end,
    }))
    const print = (range: Range, batches: AsyncIterable<RecordBatch>): Promise<void> =>
      printRange(session.terminal, text, range, batches)
    if (!follow)
      for (const range of ranges) await print(range, log.read(topic.name, range.partition, range.first, range.end))
    else {
      const signal = session.interrupted()
      await Promise.all(
        ranges.map((range) => print(range, log.follow(topic.name, range.partition, range.first, signal))),
      )
    }
  } finally {
    await log.close()
  }
}

function startOf(place: PartitionOffsets, from: TailFrom): Offset {
  if (from === 'earliest') return place.earliest
  if (from === 'latest') return place.end
  return 'offset' in from ? Math.min(from.offset, place.end) : place.atOrAfter
}

async function printRange(
  terminal: Terminal,
  text: RecordText,
  { partition, first, end }: Range,
  batches: AsyncIterable<RecordBatch>,
): Promise<void> {
  for await (const batch of batches)
    for (const record of batch.records()) {
      if (record.offset < first || record.offset >= end) continue
      const place = { partition, offset: record.offset, appendedAt: batch.appendedAtMs }
      terminal.print(terminal.json ? JSON.stringify(await text.object(record, place)) : await text.line(record))
    }
}
