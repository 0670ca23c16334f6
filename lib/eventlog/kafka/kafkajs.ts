import { createRequire } from 'node:module'

/**
 * The door to kafkajs 2.2.4: its connections (TCP, TLS, SASL, framing, throttling) and its requests, typed, and what is
 * mended in them. Its clients are not used: what they do behind one's back (retries, positions, silent stops) is what an
 * exactly-once log must not do; see `docs/decisions/0013-kafkajs-connections-and-requests.md`.
 *
 * Everything here is internal to kafkajs, so its version is pinned; `tests/kafka/kafkajs.test.ts` tells when it drifts.
 */
const load = createRequire(import.meta.url)

/** A request and how to read its answer, as a connection takes them. */
export interface KafkaRequest<Answer> {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<KafkaEncoder>
  }
  readonly response: {
    decode(payload: Buffer): Promise<object>
    parse(decoded: object): Promise<Answer>
  }
  /** Longer than that of the connection. */
  readonly requestTimeout?: number
}

export interface KafkaEncoder {
  writeBufferInternal(bytes: Buffer): void
}

/** One TCP connection to one broker, in one go: once it is lost, a new one must be made. */
export interface KafkaConnection {
  connect(): Promise<unknown>
  isConnected(): boolean
  disconnect(): Promise<unknown>
  authenticate(): Promise<void>
  setVersions(versions: ApiVersions): void
  setSupportAuthenticationProtocol(isSupported: boolean): void
  send<Answer>(request: KafkaRequest<Answer>): Promise<Answer>
  readonly socket?: { destroy(): void }
}

export type ApiVersions = Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>

export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

export interface TlsOptions {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
}

interface ConnectionOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly logger: unknown
  readonly socketFactory: unknown
  readonly connectionTimeout: number
  readonly requestTimeout: number
  readonly enforceRequestTimeout: boolean
  readonly ssl?: TlsOptions
  readonly sasl?: SaslOptions
}

interface RequestDefinition {
  readonly versions: readonly string[]
  protocol(version: { readonly version: number }): (values: object) => KafkaRequest<never>
}

/** The requests that kafkajs encodes for us. */
export type RequestName =
  | 'GroupCoordinator'
  | 'JoinGroup'
  | 'SyncGroup'
  | 'Heartbeat'
  | 'LeaveGroup'
  | 'OffsetCommit'
  | 'OffsetFetch'
  | 'ListOffsets'
  | 'CreateTopics'
  | 'DescribeConfigs'
  | 'AlterConfigs'
  | 'DescribeGroups'

const Connection = load('kafkajs/src/network/connection') as new (options: ConnectionOptions) => KafkaConnection
const Encoder = load('kafkajs/src/protocol/encoder') as new () => KafkaEncoder
const RequestQueue = load('kafkajs/src/network/requestQueue') as { readonly prototype: PatchedQueue }
const createSocketFactory = load('kafkajs/src/network/socketFactory') as () => unknown
const { createLogger } = load('kafkajs/src/loggers') as {
  createLogger(options: { readonly level: number; logCreator(): () => void }): unknown
}
const apiKeys = load('kafkajs/src/protocol/requests/apiKeys') as Readonly<Record<string, number>>
const { requests, lookup } = load('kafkajs/src/protocol/requests') as {
  readonly requests: Readonly<Record<string, RequestDefinition>>
  lookup(
    versions: ApiVersions,
  ): (apiKey: number, definition: RequestDefinition) => (values: object) => KafkaRequest<never>
}
const { MemberMetadata, MemberAssignment } = load('kafkajs/src/consumer/assignerProtocol') as AssignerProtocol

interface AssignerProtocol {
  readonly MemberMetadata: {
    encode(metadata: {
      readonly version: number
      readonly topics: readonly string[]
      readonly userData: Buffer
    }): Buffer
    decode(bytes: Buffer): { readonly userData: Buffer }
  }
  readonly MemberAssignment: {
    encode(value: {
      readonly version: number
      readonly assignment: Readonly<Record<string, readonly number[]>>
    }): Buffer
    decode(bytes: Buffer): { readonly assignment: Readonly<Record<string, readonly number[]>> } | null
  }
}

interface PatchedQueue {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
}

/**
 * Mended: a connection looks every millisecond whether it has requests to send, also when there are none, and asks for
 * negative waits. Now it looks only when something waits.
 */
const look = RequestQueue.prototype.scheduleCheckPendingRequests
RequestQueue.prototype.scheduleCheckPendingRequests = function lookWhenSomethingWaits(this: PatchedQueue): void {
  if (this.pending.length > 0) look.call(this)
}

const NOTHING = 0
/** kafkajs tells nobody but us: every failure comes back from the request that met it. */
const silence = createLogger({ level: NOTHING, logCreator: () => () => {} })

export interface ConnectTo {
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly tls?: TlsOptions
  readonly sasl?: SaslOptions
}

/** A connection that is not open yet. Its requests have no time limit of their own. */
export function createConnection({ tls, sasl, connectTimeoutMs, ...address }: ConnectTo): KafkaConnection {
  return new Connection({
    ...address,
    logger: silence,
    socketFactory: createSocketFactory(),
    connectionTimeout: connectTimeoutMs,
    requestTimeout: 2 ** 31 - 1,
    enforceRequestTimeout: false,
    ...(tls ? { ssl: tls } : {}),
    ...(sasl ? { sasl } : {}),
  })
}

/** The newest version of a request that both kafkajs and the broker know. */
export function requestOf<Answer>(name: RequestName, versions: ApiVersions, values: object): KafkaRequest<Answer> {
  return lookup(versions)(apiKeys[name]!, requests[name]!)(values)
}

/** Asks a broker which requests it knows, in which versions. */
export async function askVersions(connection: KafkaConnection): Promise<ApiVersions> {
  const definition = requests['ApiVersions']!
  const newest = Math.max(...definition.versions.map(Number))
  const { apiVersions } = await connection.send<{ readonly apiVersions: readonly ApiRange[] }>(
    definition.protocol({ version: newest })({}),
  )
  return Object.fromEntries(apiVersions.map(({ apiKey, ...range }) => [apiKey, range]))
}

interface ApiRange {
  readonly apiKey: number
  readonly minVersion: number
  readonly maxVersion: number
}

/** Whether a broker authenticates within Kafka's own protocol; all that are supported do. */
export const knowsSaslAuthenticate = (versions: ApiVersions): boolean =>
  versions[apiKeys['SaslAuthenticate']!] !== undefined

/** Bytes of our own as kafkajs wants to be given a request's body. */
export function encoderOf(body: Buffer): KafkaEncoder {
  const encoder = new Encoder()
  encoder.writeBufferInternal(body)
  return encoder
}

/** How members of a group tell each other what they want and get, in the form that Kafka's own tools read. */
export const groupProtocol = { metadata: MemberMetadata, assignment: MemberAssignment }
