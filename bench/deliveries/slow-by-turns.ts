import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Milliseconds } from '#lib/time.ts'

/** Sources that are slow for some windows and well for as many, in turn; not all of them in the same windows. */
export interface Turns {
  readonly windowMs: Milliseconds
  /** In a row. */
  readonly windows: number
  readonly fastMs: Milliseconds
  readonly slowMs: Milliseconds
}

export interface Router {
  /** Source 0, 1, 2… is `<url>/0`, `<url>/1`, `<url>/2`…. */
  readonly url: string
  close(): Promise<void>
}

/** What sources ask on this machine. */
export async function startTurns({ windowMs, windows, fastMs, slowMs }: Turns): Promise<Router> {
  const server = createServer(async (request, response) => {
    const source = Number(request.url!.slice(1))
    const window = Math.floor(Date.now() / windowMs) + source
    await wait(Math.floor(window / windows) % 2 === 0 ? slowMs : fastMs)
    response.end('pong')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
