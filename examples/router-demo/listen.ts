import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ObstreamError } from '#lib/errors.ts'

/** A server that listens on this machine only. */
export interface Listening {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  /** Answers under way are cut off. */
  stop(): Promise<void>
}

/**
 * @param what is said to listen, should it not be possible
 * @throws OBS_HTTP_CANNOT_LISTEN when the port is taken
 */
export async function listenHere(server: Server, port: number, what: string): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `${what} cannot listen on 127.0.0.1:${port} (${cause.code}); stop what listens there`
      reject(new ObstreamError('OBS_HTTP_CANNOT_LISTEN', message, { cause }))
    })
    server.listen(port, '127.0.0.1', () => resolve())
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
