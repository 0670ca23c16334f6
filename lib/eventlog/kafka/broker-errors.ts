import { ObstreamError } from '#lib/errors.ts'
import { certificateFault, isCertificateRefused } from './tls-faults.ts'

/** Kafka's error codes that we decide about. Source: the Kafka protocol guide, "Error Codes". */
export const kafkaError = {
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  messageTooLarge: 10,
  notEnoughReplicas: 19,
  topicAuthorizationFailed: 29,
  invalidTimestamp: 32,
  topicAlreadyExists: 36,
  invalidRecord: 87,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
} as const

/**
 * The answers to a produce request that come before anything is written. Every other one may follow an append: a leader
 * that loses its office while it waits for its replicas says NOT_LEADER_OR_FOLLOWER, and the record may live on.
 */
const refusals: ReadonlySet<number> = new Set([
  kafkaError.corruptMessage,
  kafkaError.messageTooLarge,
  kafkaError.notEnoughReplicas,
  kafkaError.topicAuthorizationFailed,
  kafkaError.invalidTimestamp,
  kafkaError.invalidRecord,
])

/** Whether a broker that answers so has certainly not appended. */
export const isRefusal = (errorCode: number): boolean => refusals.has(errorCode)

/**
 * A request was handed to the network and its answer never came: the broker may have done what it was asked for, may do it
 * yet, or may never hear of it.
 */
export class LostAnswerError extends Error {
  override readonly name = 'LostAnswerError'
}

/** Errors of kafkajs, which are of another realm in some processes: known by name and type only. */
interface BrokerError {
  readonly name?: string
  readonly type?: string
  readonly code?: unknown
  readonly message?: string
}

const denials: ReadonlySet<string> = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
])

/** The name of the broker's answer, e.g. `REBALANCE_IN_PROGRESS`; `undefined` when it is not one. */
export function answerOf(error: unknown): string | undefined {
  return (error as BrokerError).type
}

export function isAccessDenied(error: unknown): boolean {
  const { name, type } = error as BrokerError
  if (name === 'KafkaJSSASLAuthenticationError') return true
  return (type !== undefined && denials.has(type)) || isCertificateRefused(error as BrokerError)
}

export function accessDenied(what: string, cause: unknown): ObstreamError {
  return new ObstreamError('OBS_LOG_ACCESS_DENIED', `${what}: ${reasonOf(cause)}.`, { cause })
}

/** What an error says, without its full stop. */
export function reasonOf(error: unknown): string {
  const { message = String(error) } = error as BrokerError
  return certificateFault(error as BrokerError) ?? message.replace(/\.$/, '')
}

/** Whether an error is about a broker or the way to it, and not a fault of ours. */
export function isOfTheBroker(error: unknown): boolean {
  return error instanceof LostAnswerError || answerOf(error) !== undefined
}

/** What went wrong with a broker, in a word of the catalogue; anything else stays what it is. */
export function unavailable(what: string, error: unknown): unknown {
  if (!isOfTheBroker(error)) return error
  if (isAccessDenied(error)) return accessDenied(what, error)
  return new ObstreamError('OBS_LOG_UNAVAILABLE', `${what}: ${reasonOf(error)}.`, { cause: error })
}
