import { isDeepStrictEqual } from 'node:util'
import type avsc from 'avsc'
import { ObstreamError } from '#lib/errors.ts'
import type { Milliseconds } from '#lib/time.ts'
import { incompatible, obstacle, parseSchema } from './compatibility.ts'
import { Patience } from './patience.ts'
import type { AvroSchema, SchemaRegistry } from './port.ts'
import { type Answer, RestClient, type RestClientOptions } from './rest-client.ts'

export interface ConfluentRegistryOptions extends RestClientOptions {
  /** Before the name of each subject, as before the log's topics: two desks on one cluster share no subject. */
  readonly prefix: string
  /** How long `register` waits while the registry is away. */
  readonly waitMs: Milliseconds
  /** How long `schema` waits while it is away or does not know the id; default `waitMs`, `Infinity`: as long as it takes. */
  readonly schemaWaitMs?: Milliseconds
  /** Called when a wait begins, with its reason. */
  readonly onWait?: (reason: string) => void
}

/** A schema registry that speaks Confluent's protocol: Confluent's own, Apicurio, Karapace. Asks nothing yet. */
export function openConfluentRegistry(options: ConfluentRegistryOptions): SchemaRegistry {
  return new ConfluentRegistry(options)
}

class ConfluentRegistry implements SchemaRegistry {
  readonly #client: RestClient
  readonly #options: ConfluentRegistryOptions
  readonly #schemas = new Map<number, AvroSchema>()
  /** By subject and schema. */
  readonly #ids = new Map<string, number>()
  readonly #patience: Patience

  constructor(options: ConfluentRegistryOptions) {
    this.#client = new RestClient(options)
    this.#options = options
    this.#patience = new Patience(options.onWait)
  }

  get waitsFor(): string | null {
    return this.#patience.waitsFor
  }

  async register(topicSubject: string, schema: AvroSchema, stop?: AbortSignal): Promise<number> {
    const subject = `${this.#options.prefix}${topicSubject}`
    const type = parseSchema(subject, schema)
    const text = JSON.stringify(schema)
    const known = this.#ids.get(`${subject} ${text}`)
    if (known !== undefined) return known
    const { waitMs } = this.#options
    const id = await this.#patience.ask(
      { what: `an id for the schema of ${subject}`, waitMs, stop },
      async (signal) => {
        await this.#holdToBackward(subject, signal)
        const answer = await this.#client.register(subject, text, signal)
        if (answer.status === 409) throw await this.#refused(subject, { schema, type }, { answer, signal })
        return this.#expect(answer, `a schema of ${subject}`, isRegistered).id
      },
    )
    this.#ids.set(`${subject} ${text}`, id)
    return id
  }

  async schema(id: number, stop?: AbortSignal): Promise<AvroSchema> {
    const known = this.#schemas.get(id)
    if (known) return known
    const { waitMs, schemaWaitMs = waitMs } = this.#options
    const wait = { what: `schema ${id}`, waitMs: schemaWaitMs, stop }
    const found = await this.#patience.ask(wait, (signal) => this.#fetch(id, signal))
    this.#schemas.set(id, found)
    return found
  }

  async #fetch(id: number, signal: AbortSignal): Promise<AvroSchema> {
    const answer = await this.#client.schema(id, signal)
    if (answer.status === 404)
      throw this.#unavailable(`does not know schema ${id}, perhaps not yet${words(answer, '; it says: ')}`)
    const { schema, schemaType = 'AVRO' } = this.#expect(answer, `schema ${id}`, isSchema)
    // What is no Avro is a schema that no codec of ours can read, and the codec says so.
    if (schemaType !== 'AVRO') return { type: schemaType }
    try {
      return JSON.parse(schema)
    } catch {
      throw this.#unavailable(`holds no JSON as schema ${id}`)
    }
  }

  /** Makes the subject refuse what cannot read all that was written before. Never weakens what somebody has set. */
  async #holdToBackward(subject: string, signal: AbortSignal): Promise<void> {
    const current = await this.#client.compatibility(subject, signal)
    const level =
      current.status === 404
        ? 'NONE'
        : this.#expect(current, `the compatibility of ${subject}`, isLevel).compatibilityLevel
    const wanted = WITH_BACKWARD[level.toUpperCase()] ?? 'BACKWARD_TRANSITIVE'
    if (level.toUpperCase() === wanted) return
    const set = await this.#client.setCompatibility(subject, wanted, signal)
    this.#expect(set, `the compatibility ${wanted} of ${subject}`, isAnything)
  }

  /**
   * Looks for the field itself, since registries name it each in its own way. A conflict with somebody who registers the same
   * schema at this moment passes: it is `unavailable`, and the next try is given the id.
   */
  async #refused(
    subject: string,
    { schema, type }: { readonly schema: AvroSchema; readonly type: avsc.Type },
    { answer, signal }: { readonly answer: Answer; readonly signal: AbortSignal },
  ): Promise<ObstreamError> {
    const newest = await this.#client.version(subject, 'latest', signal)
    if (!isVersion(newest.body)) return this.#unavailable(`has a conflict about the first schema of ${subject}`)
    for (let { version } = newest.body; version > 0; version--) {
      const { body } = await this.#client.version(subject, version, signal)
      if (!isVersion(body)) continue // deleted
      const known: AvroSchema = JSON.parse(body.schema)
      if (isDeepStrictEqual(known, schema))
        return this.#unavailable(`has a conflict about a schema of ${subject} that it holds`)
      const found = obstacle(type, parseSchema(subject, known))
      if (found !== undefined) return incompatible(subject, body.id, found)
    }
    return new ObstreamError(
      'OBS_REGISTRY_INCOMPATIBLE',
      `the schema registry ${this.#client.url} refuses the new schema of ${subject}${words(answer, ': ')}`,
    )
  }

  /** The body of a success. @throws what any other answer means */
  #expect<Body>({ status, body }: Answer, what: string, isExpected: (body: unknown) => body is Body): Body {
    if (status === 200 && isExpected(body)) return body
    const said = words({ status, body }, ': ')
    if (status === 401 || status === 403)
      throw new ObstreamError(
        'OBS_REGISTRY_ACCESS_DENIED',
        `the schema registry ${this.#client.url} refuses ${what} (${status})${said}. Correct the user and password that registry.username_env and registry.password_env name, or the rights of that user.`,
      )
    if (status === 422)
      throw new ObstreamError(
        'OBS_REGISTRY_INCOMPATIBLE',
        `the schema registry ${this.#client.url} does not take ${what}${said}`,
      )
    throw this.#unavailable(`answered ${status} when asked for ${what}${said}`)
  }

  #unavailable(problem: string): ObstreamError {
    return new ObstreamError('OBS_REGISTRY_UNAVAILABLE', `the schema registry ${this.#client.url} ${problem}`)
  }
}

/** What a subject must be held to, given what it is held to: nothing that somebody asked for is lost. */
const WITH_BACKWARD: Readonly<Record<string, string>> = {
  NONE: 'BACKWARD_TRANSITIVE',
  BACKWARD: 'BACKWARD_TRANSITIVE',
  BACKWARD_TRANSITIVE: 'BACKWARD_TRANSITIVE',
  FORWARD: 'FULL_TRANSITIVE',
  FORWARD_TRANSITIVE: 'FULL_TRANSITIVE',
  FULL: 'FULL_TRANSITIVE',
  FULL_TRANSITIVE: 'FULL_TRANSITIVE',
}

const LONGEST_WORDS = 300

/** What the registry said about it, if it said something for people. */
function words({ body }: Answer, before: string): string {
  const { message } = (body ?? {}) as { readonly message?: unknown }
  return typeof message === 'string' && message !== '' ? `${before}${message.slice(0, LONGEST_WORDS)}` : ''
}

type Members = Readonly<Record<string, unknown>>

const isMembers = (body: unknown): body is Members => typeof body === 'object' && body !== null

const isAnything = (body: unknown): body is unknown => body !== undefined

const isRegistered = (body: unknown): body is { readonly id: number } =>
  isMembers(body) && Number.isSafeInteger(body['id'])

const isLevel = (body: unknown): body is { readonly compatibilityLevel: string } =>
  isMembers(body) && typeof body['compatibilityLevel'] === 'string'

const isSchema = (body: unknown): body is { readonly schema: string; readonly schemaType?: string } =>
  isMembers(body) && typeof body['schema'] === 'string'

const isVersion = (body: unknown): body is { readonly id: number; readonly version: number; readonly schema: string } =>
  isSchema(body) && isRegistered(body) && Number.isSafeInteger((body as Members)['version'])
