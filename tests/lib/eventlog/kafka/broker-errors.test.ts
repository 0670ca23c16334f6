import { expect, test } from '@jest/globals'
import { isRefusal } from '#lib/eventlog/kafka/broker-errors.ts'

/** Kafka's numbers, as its protocol guide lists them. */
const answers = {
  NONE: 0,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  MESSAGE_TOO_LARGE: 10,
  NETWORK_EXCEPTION: 13,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  TOPIC_AUTHORIZATION_FAILED: 29,
  INVALID_TIMESTAMP: 32,
  KAFKA_STORAGE_ERROR: 56,
  INVALID_RECORD: 87,
}

test('only what a broker answers before it writes says that nothing was written', () => {
  expect(Object.entries(answers).flatMap(([name, code]) => (isRefusal(code) ? [name] : []))).toEqual([
    'CORRUPT_MESSAGE',
    'MESSAGE_TOO_LARGE',
    'NOT_ENOUGH_REPLICAS',
    'TOPIC_AUTHORIZATION_FAILED',
    'INVALID_TIMESTAMP',
    'INVALID_RECORD',
  ])
})
