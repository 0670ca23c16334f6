import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startCluster, startRegistry } from './provider.ts'
import { SHARED_HOST, type SharedKafka } from './shared.ts'

/**
 * Jest's own process starts what its workers share, when the first of them asks over HTTP, and stops it after the last test.
 * No lock file and no counting: the servers belong to the process that outlives all tests, and die with it.
 */
let host: Server | undefined
let starting: Promise<StoppableKafka> | undefined

interface StoppableKafka extends SharedKafka {
  stop(): Promise<unknown>
}

/** Run by Jest before the first test. */
export async function openHost(): Promise<void> {
  host = createServer((_, response) => {
    starting ??= start()
    starting.then(
      ({ bootstrap, registryUrl }) => response.end(JSON.stringify({ bootstrap, registryUrl })),
      (error: Error) => response.writeHead(500).end(error.stack),
    )
  })
  host.listen(0, '127.0.0.1')
  await once(host, 'listening')
  process.env[SHARED_HOST] = `http://127.0.0.1:${(host.address() as AddressInfo).port}`
}

/** Run by Jest after the last test. */
export async function closeHost(): Promise<void> {
  host?.close()
  host?.closeAllConnections()
  await starting?.then(
    (servers) => servers.stop(),
    () => {},
  )
}

async function start(): Promise<StoppableKafka> {
  const [cluster, registry] = await Promise.allSettled([startCluster(), startRegistry()])
  const stop = () =>
    Promise.all([cluster, registry].map((server) => (server.status === 'fulfilled' ? server.value.stop() : undefined)))
  if (cluster.status === 'fulfilled' && registry.status === 'fulfilled')
    return { bootstrap: cluster.value.bootstrap[0]!, registryUrl: registry.value.url, stop }
  await stop()
  throw cluster.status === 'rejected' ? cluster.reason : (registry as PromiseRejectedResult).reason
}
