import { DAY_MS } from '#lib/time.ts'
import { catalogue } from '#lib/topics.ts'
import { markdownTable } from './markdown.ts'

/** The catalogue of topics as the README shows it. */
export function topicTable(): string {
  const rows = catalogue.map((topic) => [
    `\`${topic.name}\``,
    topic.key,
    topic.what,
    topic.partitions === 'latency' ? 'N' : '1',
    topic.cleanup.replace(',', ', '),
    topic.retentionMs === null ? 'always' : `${topic.retentionMs / DAY_MS} d`,
    topic.writtenBy,
    topic.readBy,
  ])
  return markdownTable([['topic', 'key', 'what', 'partitions', 'cleanup', 'kept', 'written by', 'read by'], ...rows])
}
