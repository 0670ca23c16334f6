import type { TopicCodec } from '#lib/codec/avro.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import type { FoldInput, InputReader } from './define-service.ts'
import { causeOf } from './record-headers.ts'

/** Reads each record by the topic's schema. A record of a derived topic without a cause is as bad as one without a value. */
export function readByCodec<Value>(topic: TopicDefinition, codec: TopicCodec<Value>): InputReader<FoldInput<Value>> {
  return function* (batch, from, bad) {
    for (const record of batch.records()) {
      if (record.offset < from) continue
      const cause = topic.derived ? causeOf(record) : [record.offset]
      if (record.value === null) bad(record, 'OBS_LOG_NULL_VALUE: the record has no value')
      else if (!cause) bad(record, 'the record has no obs-cause header')
      else
        try {
          yield { offset: record.offset, cause, key: record.key.toString(), value: codec.decode(record.value) }
        } catch (error) {
          if (!isObstreamError(error, 'OBS_RECORD_INVALID')) throw error
          bad(record, error.message)
        }
    }
  }
}
