import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'

/** What a proxy does with those who want through. */
export type ProxyManner = 'let_through' | 'refuse' | 'hang' | 'close'

/** A real HTTP proxy on loopback for tunnels (CONNECT) only. */
export interface ForwardProxy {
  /** `http://user:secret@127.0.0.1:<port>`: it does not insist on the password, it records it. */
  readonly url: string
  /** The `host:port` of each tunnel that was asked for. */
  readonly asked: readonly string[]
  /** `Proxy-Authorization` of each. */
  readonly credentials: readonly (string | undefined)[]
  /** How many connections to it are open. */
  readonly openConnections: number
  close(): Promise<void>
}

/** @param manner for all tunnels; default: let through, `refuse` is 403 */
export async function openForwardProxy(manner: ProxyManner = 'let_through'): Promise<ForwardProxy> {
  const asked: string[] = []
  const credentials: (string | undefined)[] = []
  const near = new Set<Socket>()
  const far = new Set<Socket>()
  const server = createServer()
  server.on('connection', (socket: Socket) => near.add(socket.once('close', () => near.delete(socket))))
  server.on('connect', (request, client: Socket) => {
    asked.push(request.url!)
    credentials.push(request.headers['proxy-authorization'])
    client.on('error', () => {})
    if (manner === 'refuse') client.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    if (manner === 'close') client.destroy()
    if (manner === 'let_through') far.add(tunnel(request.url!, client))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://user:secret@127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    credentials,
    get openConnections() {
      return near.size
    },
    close: () => closeAll(server, [...near, ...far]),
  }
}

function tunnel(authority: string, client: Socket): Socket {
  const { hostname, port } = new URL(`http://${authority}`)
  const target = connect({ host: hostname, port: Number(port) }, () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    target.pipe(client).pipe(target)
  })
  return target.on('error', () => client.destroy())
}

function closeAll(server: Server, sockets: readonly Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy()
  return new Promise((resolve) => server.close(() => resolve()))
}
