import type { TopicCodec } from '#lib/codec/avro.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { SampleFact } from '#lib/facts.ts'
import type { FoldInput, InputReader, ServiceDefinition } from '#lib/runtime/define-service.ts'
import { defineService } from '#lib/runtime/define-service.ts'
import { topics } from '#lib/topics.ts'
import { cursorsIn } from './csv-cursor.ts'
import type { OwnRecord, SamplerMemory } from './memory.ts'
import { emptyMemory, oldestNeeded, remember } from './memory.ts'

export type SamplerInput = FoldInput<SampleFact> & Pick<OwnRecord, 'cursors'>
export type SamplerService = ServiceDefinition<SamplerMemory, SamplerInput>

/**
 * The sampler as a fold: it reads what the samplers wrote and says nothing. Its state is what `sampling.ts`, which
 * probes and appends, must know after a restart.
 */
export function samplerService(codec: Pick<TopicCodec<SampleFact>, 'decode'>): SamplerService {
  return defineService({
    name: 'sampler',
    consumes: topics.sample,
    produces: [],
    initial: emptyMemory,
    step: (memory, input) => {
      remember(memory, input)
      return []
    },
    mark: (memory) => {
      const oldest = oldestNeeded(memory)
      return oldest === null ? null : [oldest]
    },
    reached: (memory) => memory.lastTick?.at ?? null,
    read: readOwnRecords(codec),
  })
}

/** As the runtime reads by schema, and the cursors in the headers, which no other fold needs. */
function readOwnRecords(codec: Pick<TopicCodec<SampleFact>, 'decode'>): InputReader<SamplerInput> {
  return function* (batch, from, bad) {
    for (const record of batch.records()) {
      if (record.offset < from) continue
      const { offset, value, headers } = record
      if (value === null) {
        bad(record, 'OBS_LOG_NULL_VALUE: the record has no value')
        continue
      }
      try {
        const fact = codec.decode(value)
        yield { offset, cause: [offset], key: record.key.toString(), value: fact, cursors: cursorsIn(headers) }
      } catch (error) {
        if (!isObstreamError(error, 'OBS_RECORD_INVALID')) throw error
        bad(record, error.message)
      }
    }
  }
}
