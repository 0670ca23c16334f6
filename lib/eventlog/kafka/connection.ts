import { ObstreamError } from '#lib/errors.ts'
import { type Milliseconds, SECOND_MS } from '#lib/time.ts'
import { accessDenied, isAccessDenied, LostAnswerError, reasonOf } from './broker-errors.ts'
import {
  type ApiVersions,
  askVersions,
  type ConnectTo,
  createConnection,
  type KafkaConnection,
  type KafkaRequest,
  knowsSaslAuthenticate,
} from './kafkajs.ts'

/** How long a broker may take to answer, beyond what the request itself tells it to wait. */
const ANSWER_TIMEOUT_MS = 10 * SECOND_MS

/** Turns values into the request that a broker with these versions understands. */
export type MakeRequest<Answer> = (versions: ApiVersions) => KafkaRequest<Answer>

interface OpenConnection {
  readonly connection: KafkaConnection
  readonly versions: ApiVersions
}

/**
 * A line to one broker: opened when it is first needed, opened anew after it was lost. A broker answers one line in order,
 * so what may wait long (a fetch, joining a group) has a line of its own.
 */
export class BrokerLine {
  readonly #to: ConnectTo
  #opening: Promise<OpenConnection> | null = null
  readonly #waiting = new Set<(reason: Error) => void>()

  constructor(to: ConnectTo) {
    this.#to = to
  }

  get address(): string {
    return `${this.#to.host}:${this.#to.port}`
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @param waitMs how long the request lets the broker wait before it answers
   * @param answerMs how long the answer may take beyond that
   * @throws OBS_LOG_UNAVAILABLE, OBS_LOG_ACCESS_DENIED nothing was sent
   * @throws LostAnswerError · the error that the broker answered with (`KafkaJSProtocolError`, with a `type`)
   */
  async send<Answer>(
    make: MakeRequest<Answer>,
    waitMs: Milliseconds = 0,
    answerMs = ANSWER_TIMEOUT_MS,
  ): Promise<Answer> {
    const { opening, connection, versions } = await this.#open()
    const request = make(versions)
    try {
      return await this.#answerWithin(connection.send(request), request.request.apiName, waitMs + answerMs)
    } catch (error) {
      if (!isOfTheConnection(error)) throw error
      this.#drop(opening, connection)
      throw new LostAnswerError(`${this.address} did not answer ${request.request.apiName}: ${reasonOf(error)}`, {
        cause: error,
      })
    }
  }

  /** Ends what waits for an answer. The line can be used again afterwards. */
  close(): void {
    const opening = this.#opening
    this.#opening = null
    void opening?.then(
      ({ connection }) => hangUp(connection),
      () => {},
    )
    for (const fail of this.#waiting) fail(new NoAnswerError('the connection was closed'))
  }

  async #open(): Promise<OpenConnection & { readonly opening: Promise<OpenConnection> }> {
    for (;;) {
      this.#opening ??= this.#connect()
      const opening = this.#opening
      try {
        const open = await opening
        if (open.connection.isConnected()) return { opening, ...open }
      } catch (error) {
        this.#forget(opening)
        throw error
      }
      this.#forget(opening)
    }
  }

  /** Unless it has been opened anew already: several may find out that it was lost, and only one connection is kept. */
  #forget(opening: Promise<OpenConnection>): void {
    if (this.#opening === opening) this.#opening = null
  }

  async #connect(): Promise<OpenConnection> {
    const connection = createConnection(this.#to)
    try {
      await connection.connect()
      const versions = await this.#answerWithin(askVersions(connection), 'ApiVersions', ANSWER_TIMEOUT_MS)
      connection.setVersions(versions)
      connection.setSupportAuthenticationProtocol(knowsSaslAuthenticate(versions))
      await this.#answerWithin(connection.authenticate(), 'SaslAuthenticate', ANSWER_TIMEOUT_MS)
      return { connection, versions }
    } catch (error) {
      hangUp(connection)
      if (isAccessDenied(error)) throw accessDenied(`${this.address} refuses to let us in`, error)
      throw new ObstreamError('OBS_LOG_UNAVAILABLE', `No connection to ${this.address}: ${reasonOf(error)}.`, {
        cause: error,
      })
    }
  }

  #answerWithin<Answer>(answer: Promise<Answer>, what: string, timeoutMs: Milliseconds): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail(new NoAnswerError(`no answer to ${what} within ${timeoutMs} ms`)), timeoutMs)
      const done = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(fail)
      }
      const fail = (reason: unknown): void => {
        done()
        reject(reason)
      }
      this.#waiting.add(fail)
      answer.then((value) => {
        done()
        resolve(value)
      }, fail)
    })
  }

  #drop(opening: Promise<OpenConnection>, connection: KafkaConnection): void {
    this.#forget(opening)
    hangUp(connection)
  }
}

/** Without waiting for answers that may never come. */
function hangUp(connection: KafkaConnection): void {
  connection.socket?.destroy()
  void connection.disconnect().catch(() => {})
}

class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
}

const connectionErrors: ReadonlySet<string> = new Set([
  'NoAnswerError',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
])

/** And not an answer of the broker, or a fault of ours. */
function isOfTheConnection(error: unknown): boolean {
  return connectionErrors.has((error as { readonly name?: string }).name ?? '')
}
