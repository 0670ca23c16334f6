import type { ExitCode } from '#lib/errors.ts'
import { exitCodes } from '#lib/errors.ts'
import { openLog } from '#lib/eventlog/open.ts'
import type { EventLog, TopicDifference } from '#lib/eventlog/port.ts'
import { DAY_MS } from '#lib/time.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import { catalogue } from '#lib/topics.ts'
import { needsConfig, openExistingLog } from './existing-log.ts'
import type { Program } from './program.ts'
import { examples } from './program.ts'
import type { Session } from './session.ts'
import { table } from './terminal.ts'

/** `obstream topics list|apply|check|compact`. */
export function topicsCommand(program: Program): void {
  const topics = program.root
    .command('topics')
    .description('look after the topics of the log')
    .addHelpText('after', examples(['obstream topics list', 'obstream topics check']))
  const add = (name: string, description: string, run: (session: Session) => Promise<ExitCode | undefined>): void => {
    topics
      .command(name)
      .description(description)
      .addHelpText('after', examples([`obstream topics ${name}`, `obstream topics ${name} --json`]))
      .action(program.action(run, () => []))
  }
  add('list', 'the catalogue: what flows, who writes it, who reads it', listTopics)
  add('apply', 'create the topics that are missing and correct their settings, never their partitions', applyTopics)
  add('check', 'tell where the log differs from the catalogue; exit code 65 if it does', checkTopics)
  add('compact', 'remove copies and expired records now, as the background does in its own time', compactTopics)
}

async function listTopics({ terminal }: Session): Promise<undefined> {
  if (terminal.json) return void terminal.summary({ topics: catalogue.map(asJson) })
  const rows = catalogue.map((topic) => [
    topic.name,
    topic.partitions === 'latency' ? 'N' : '1',
    topic.cleanup,
    keptFor(topic),
    topic.writtenBy,
    topic.readBy,
  ])
  for (const line of table([['topic', 'partitions', 'cleanup', 'kept', 'written by', 'read by'], ...rows]))
    terminal.print(line)
}

/** `120 d`, or `always`. */
export function keptFor({ retentionMs }: TopicDefinition): string {
  return retentionMs === null ? 'always' : `${retentionMs / DAY_MS} d`
}

function asJson(topic: TopicDefinition): object {
  return {
    name: topic.name,
    key: topic.key,
    what: topic.what,
    partitions: topic.partitions,
    cleanup: topic.cleanup,
    retention_ms: topic.retentionMs,
    schema: topic.schema,
    derived: topic.derived,
    written_by: topic.writtenBy,
    read_by: topic.readBy,
  }
}

async function applyTopics(session: Session): Promise<ExitCode> {
  const { config } = session.loadConfig()
  const log = await openLog(config.log, {
    clock: session.context.clock,
    partitions: config.partitions,
    dataDir: config.dataDir,
    kafka: config.kafka,
  })
  return closing(log, async () => reportDifferences(session, await log.topics.apply(catalogue)))
}

async function checkTopics(session: Session): Promise<ExitCode> {
  const log = await openExistingLog(session)
  /** Without a configuration nobody says how many partitions there should be. */
  const isExpected = ({ setting, actual }: TopicDifference): boolean =>
    needsConfig(session) || setting !== 'partitions' || actual === null
  return closing(log, async () => reportDifferences(session, (await log.topics.check(catalogue)).filter(isExpected)))
}

function reportDifferences({ terminal }: Session, differences: readonly TopicDifference[]): ExitCode {
  const rows = differences.map(({ topic, setting, expected, actual }) => [
    topic,
    setting,
    expected,
    actual ?? '(absent)',
  ])
  if (rows.length === 0) terminal.note(`the ${catalogue.length} topics are as the catalogue says`)
  else {
    terminal.error(`the log differs from the catalogue in ${rows.length} settings [OBS_LOG_TOPIC_DIFFERS]`)
    for (const line of table([['topic', 'setting', 'should be', 'is'], ...rows])) terminal.note(line)
  }
  terminal.summary({ status: rows.length === 0 ? 'ok' : 'different', differences })
  return rows.length === 0 ? exitCodes.ok : exitCodes.badData
}

async function compactTopics(session: Session): Promise<undefined> {
  const log = await openExistingLog(session)
  const compacted = await closing(log, () => log.topics.compact(catalogue))
  const removed = compacted.map(({ topic, partition, removedRecords, removedBytes }) => ({
    topic,
    partition,
    removed_records: removedRecords,
    removed_bytes: removedBytes,
  }))
  for (const { topic, partition, removed_records, removed_bytes } of removed)
    session.terminal.note(`${topic}/${partition}: ${removed_records} records, ${removed_bytes} bytes removed`)
  if (removed.length === 0) session.terminal.note('there is nothing to remove')
  session.terminal.summary({ removed })
}

async function closing<Result>(log: EventLog, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } finally {
    await log.close()
  }
}
