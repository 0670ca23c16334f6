import { Agent } from 'node:https'
import { createRequire } from 'node:module'
import { ObstreamError } from '#lib/errors.ts'
import { type Milliseconds, SECOND_MS } from '#lib/time.ts'

/**
 * The door to @kafkajs/confluent-schema-registry 4.1.0: its client of the registry's REST interface. Its `SchemaRegistry` is
 * not used: see `docs/decisions/0012-backward-to-the-oldest-schema.md`. Internal to that package, so its version is pinned.
 */
const load = createRequire(import.meta.url)

export interface RestClientOptions {
  /** Of the registry, with its path, without user and password. */
  readonly url: string
  /** PEM; `null`: what this machine trusts. */
  readonly ca: string | null
  readonly credentials: { readonly username: string; readonly password: string } | null
}

/** What the registry answered, whatever it was. */
export interface Answer {
  readonly status: number
  /** JSON as a value; text when it is none. */
  readonly body: unknown
}

interface LibraryResponse {
  status(): number
  data(): unknown
  error(): Error | null
}

type LibraryCall = (params: object) => Promise<LibraryResponse>

interface Library {
  readonly Schema: Readonly<Record<'find', LibraryCall>>
  readonly Subject: Readonly<Record<'config' | 'updateConfig' | 'register' | 'latestVersion' | 'version', LibraryCall>>
}

interface ErrorMiddleware {
  default: () => { response(next: () => Promise<LibraryResponse>): Promise<LibraryResponse> }
}

const { default: createLibrary } = load('@kafkajs/confluent-schema-registry/dist/api') as {
  default(options: object): Library
}
const errorMiddleware: ErrorMiddleware = load('@kafkajs/confluent-schema-registry/dist/api/middleware/errorMiddleware')

/**
 * Mended for our own client: an answer that is no success stays an answer. The library makes an error of it that no longer
 * says why a connection failed, and one that nobody can catch when the body is `null`.
 */
function createClient(options: object): Library {
  const original = errorMiddleware.default
  errorMiddleware.default = () => ({ response: (next) => next().catch((failed: LibraryResponse) => failed) })
  try {
    return createLibrary(options)
  } finally {
    errorMiddleware.default = original
  }
}

/** How long one answer may take. */
const ANSWER_TIMEOUT_MS = 5 * SECOND_MS

/** The requests that we make of a registry. Each is sent once, and ends. */
export class RestClient {
  readonly url: string
  readonly #library: Library

  constructor({ url, ca, credentials }: RestClientOptions) {
    this.url = url
    this.#library = createClient({
      host: url,
      clientId: 'obstream',
      retry: { retries: 0 },
      ...(ca === null ? {} : { agent: new Agent({ ca, keepAlive: true }) }),
      ...(credentials === null ? {} : { auth: credentials }),
    })
  }

  /** The compatibility that holds for a subject; a registry may answer 404 where nothing was said. */
  compatibility(subject: string, signal: AbortSignal): Promise<Answer> {
    return this.#ask(this.#library.Subject.config, { subject, defaultToGlobal: true }, signal)
  }

  setCompatibility(subject: string, compatibility: string, signal: AbortSignal): Promise<Answer> {
    return this.#ask(this.#library.Subject.updateConfig, { subject, body: { compatibility } }, signal)
  }

  /** @param schema JSON text */
  register(subject: string, schema: string, signal: AbortSignal): Promise<Answer> {
    return this.#ask(this.#library.Subject.register, { subject, body: { schema } }, signal)
  }

  schema(id: number, signal: AbortSignal): Promise<Answer> {
    return this.#ask(this.#library.Schema.find, { id }, signal)
  }

  /** A schema with its id and version. */
  version(subject: string, version: number | 'latest', signal: AbortSignal): Promise<Answer> {
    return this.#ask(this.#library.Subject.version, { subject, version }, signal)
  }

  /** @throws OBS_REGISTRY_UNAVAILABLE when there is no answer, at the latest when `signal` aborts */
  async #ask(call: LibraryCall, params: object, signal: AbortSignal): Promise<Answer> {
    const answer = await within(ANSWER_TIMEOUT_MS, signal, (ending) => call({ ...params, signal: ending })).catch(
      (error: Error) => {
        throw unreachable(this.url, error)
      },
    )
    const failure = answer.error()
    if (failure) throw unreachable(this.url, failure)
    return { status: answer.status(), body: answer.data() }
  }
}

/** The library waits for ever for the rest of an answer that broke off, so its promise alone is no deadline. */
async function within<Result>(
  timeoutMs: Milliseconds,
  signal: AbortSignal,
  request: (ending: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const ending = new AbortController()
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const end = (reason: string): void => {
    const error = new Error(reason)
    ending.abort(error)
    reject(error)
  }
  const endNow = (): void => end('no answer in time')
  const timer = setTimeout(() => end(`no answer within ${timeoutMs} ms`), timeoutMs)
  signal.addEventListener('abort', endNow)
  if (signal.aborted) endNow()
  try {
    return await Promise.race([ended, request(ending.signal)])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', endNow)
  }
}

/** A name that stands for several addresses fails with one error for each, and says nothing of its own. */
function unreachable(url: string, error: Error & { readonly errors?: readonly Error[] }): ObstreamError {
  const reason = (error.errors ?? [error]).map(({ message }) => message).join(', ')
  return new ObstreamError('OBS_REGISTRY_UNAVAILABLE', `the schema registry ${url} cannot be reached: ${reason}`, {
    cause: error,
  })
}
