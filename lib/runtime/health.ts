import type { FastifyInstance } from 'fastify'
import { fastify } from 'fastify'
import type { Registry } from 'prom-client'
import { ObstreamError } from '#lib/errors.ts'
import { SECOND_MS } from '#lib/time.ts'
import type { BuildInfo } from './build-info.ts'

/** `null` when all is well, else the reason in words. */
export type ReadinessCheck = () => string | null | Promise<string | null>

export interface HealthOptions {
  /** Port 0 takes a free one. */
  readonly bind: { readonly host: string; readonly port: number }
  readonly build: BuildInfo
  readonly metrics: Registry
  /** By name; asked anew at every request. */
  readonly checks: Readonly<Record<string, ReadinessCheck>>
}

export interface HealthServer {
  /**
   * @returns where it listens
   * @throws OBS_HTTP_CANNOT_LISTEN when the port is taken or the address is not of this machine
   */
  start(): Promise<{ readonly url: string }>
  /** Ends open connections. Idempotent. */
  stop(): Promise<void>
}

/** Far above what a probe or Prometheus needs; whoever wants more wants something else. */
const LIMITS = {
  bodyLimit: 1024,
  connectionTimeout: 10 * SECOND_MS,
  requestTimeout: 5 * SECOND_MS,
  handlerTimeout: 10 * SECOND_MS,
  keepAliveTimeout: 5 * SECOND_MS,
  http: { maxHeaderSize: 8 * 1024 },
  routerOptions: { maxParamLength: 100 },
} as const
const MAX_CONNECTIONS = 64
const CHECK_WITHIN_MS = 2 * SECOND_MS

/**
 * `/livez`: the process answers. `/readyz`: every check is well, else 503 with the reasons. `/metrics`: Prometheus.
 * `/version`: which build runs. Nothing else, and GET only.
 */
export function createHealthServer(options: HealthOptions): HealthServer {
  const { host, port } = options.bind
  const server = fastify({ ...LIMITS, logger: false, forceCloseConnections: true })
  server.server.maxConnections = MAX_CONNECTIONS
  addHeaders(server)
  addRoutes(server, options)
  return {
    async start() {
      try {
        return { url: await server.listen({ host, port }) }
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code
        throw new ObstreamError(
          'OBS_HTTP_CANNOT_LISTEN',
          `cannot listen on ${host}:${port} (${code}); stop what listens there, or change page.bind`,
          { cause: error },
        )
      }
    },
    stop: () => server.close(),
  }
}

function addHeaders(server: FastifyInstance): void {
  server.addHook('onSend', async (_, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  })
}

function addRoutes(server: FastifyInstance, { build, metrics, checks }: HealthOptions): void {
  server.get('/livez', () => ({ status: 'live' }))
  server.get('/readyz', async (_, reply) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await reasonOf(check)] as const),
    )
    const ready = results.every(([, reason]) => reason === null)
    reply.code(ready ? 200 : 503)
    return {
      status: ready ? 'ready' : 'not_ready',
      checks: Object.fromEntries(results.map(([name, reason]) => [name, { ready: reason === null, reason }])),
    }
  })
  server.get('/metrics', async (_, reply) => {
    reply.type(metrics.contentType)
    return metrics.metrics()
  })
  server.get('/version', () => ({
    version: build.version,
    commit_sha: build.commitSha,
    engine: build.engine,
    node: build.node,
  }))
}

/** A check that fails or hangs is itself a reason. */
async function reasonOf(check: ReadinessCheck): Promise<string | null> {
  const { promise: late, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(() => resolve('the check itself does not answer'), CHECK_WITHIN_MS)
  try {
    return await Promise.race([Promise.try(check), late])
  } catch (error) {
    return `the check itself failed: ${Error.isError(error) ? error.message : String(error)}`
  } finally {
    clearTimeout(timer)
  }
}
