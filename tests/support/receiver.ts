import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Certificate } from '#tools/kafka/certificate.ts'

/** A request as it came in. */
export interface Received {
  /** From 0, in order of arrival over all connections. */
  readonly index: number
  /** Wall clock, when the body had been read. */
  readonly at: number
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** As sent, in order: name, value, name, value. */
  readonly rawHeaders: readonly string[]
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
  /** Of the connection, from 0. */
  readonly connection: number
}

/**
 * What a receiver does with one request or one connection.
 *
 * - `answer`: reads the request and answers it.
 * - `raw`: reads the request, then writes these bytes as they are, then ends or resets the connection or leaves it open.
 * - `drip`: reads the request, answers the head, then one byte of a body without end at a time.
 * - `hang`: reads the request and says nothing.
 * - `close_before_reading`: closes the next connection as soon as it is made (under TLS: before the handshake).
 */
export type Behaviour =
  | {
      readonly do: 'answer'
      readonly status: number
      readonly headers?: Readonly<Record<string, string | readonly string[]>>
      readonly body?: string | Uint8Array
      /** The answer waits for it. */
      readonly after?: Promise<unknown>
    }
  | { readonly do: 'raw'; readonly bytes: string; readonly then: 'end' | 'reset' | 'leave_open' }
  | { readonly do: 'drip'; readonly status: number }
  | { readonly do: 'hang' }
  | { readonly do: 'close_before_reading' }

/** What each request is met with: always the same, or decided by what came (asked once the body has been read). */
export type Script = Behaviour | ((received: Received) => Behaviour)

export interface ReceiverOptions {
  /** Speaks TLS with it. */
  readonly certificate?: Certificate
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string
}

/** A scriptable receiver of deliveries: a real server that records everything and misbehaves on request. */
export interface Receiver {
  readonly port: number
  /** `http://127.0.0.1:<port><path>`, with `https` and `localhost` under TLS. */
  url(path?: string): string
  readonly received: readonly Received[]
  /** How many connections were made so far; those closed before reading are counted. */
  readonly connections: number
  /** How many of them are open. */
  readonly openConnections: number
  /** From the next request on. */
  follow(script: Script): void
  close(): Promise<void>
}

/** Answers 200 with `ok` until told otherwise. */
export async function openReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const receiver = new ScriptedReceiver(options)
  await receiver.listen(options.host ?? '127.0.0.1')
  return receiver
}

/** `answer`, in short. */
export function answering(
  status: number,
  body: string | Uint8Array = '',
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): Behaviour {
  return { do: 'answer', status, body, headers }
}

/** `raw`, in short. */
export function raw(bytes: string, then: 'end' | 'reset' | 'leave_open' = 'end'): Behaviour {
  return { do: 'raw', bytes, then }
}

/** One behaviour after another; the last one for all that follow. */
export function inTurn(...behaviours: readonly [Behaviour, ...Behaviour[]]): Script {
  let next = 0
  return () => behaviours[Math.min(next++, behaviours.length - 1)]!
}

class ScriptedReceiver implements Receiver {
  readonly received: Received[] = []
  readonly #certificate: Certificate | undefined
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Of connections, by the port at their other end: under TLS a request has another socket than was accepted. */
  readonly #numbers = new Map<number | undefined, number>()
  #connections = 0
  #script: Script = answering(200, 'ok')

  constructor({ certificate }: ReceiverOptions) {
    this.#certificate = certificate
    const respond = (request: IncomingMessage, response: ServerResponse): void => void this.#receive(request, response)
    this.#server = certificate
      ? createTlsServer({ key: certificate.keystore, cert: certificate.keystore }, respond)
      : createServer(respond)
    // The client's time is at stake, not ours.
    this.#server.keepAliveTimeout = 60_000
    this.#server.on('connection', (socket: Socket) => this.#admit(socket))
    this.#server.on('tlsClientError', () => {})
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get connections(): number {
    return this.#connections
  }

  get openConnections(): number {
    return this.#sockets.size
  }

  url(path = '/'): string {
    return this.#certificate ? `https://localhost:${this.port}${path}` : `http://127.0.0.1:${this.port}${path}`
  }

  follow(script: Script): void {
    this.#script = script
  }

  listen(host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(0, host, resolve)
    })
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #admit(socket: Socket): void {
    this.#numbers.set(socket.remotePort, this.#connections++)
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket)).on('error', () => {})
    if (typeof this.#script === 'object' && this.#script.do === 'close_before_reading') socket.destroy()
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      // The client went away in the middle of its request.
      return
    }
    const received: Received = {
      index: this.received.length,
      at: Date.now(),
      method: request.method!,
      path: request.url!,
      rawHeaders: request.rawHeaders,
      headers: request.headers as Received['headers'],
      body: Buffer.concat(chunks),
      connection: this.#numbers.get(request.socket.remotePort)!,
    }
    this.received.push(received)
    await behave(typeof this.#script === 'function' ? this.#script(received) : this.#script, response)
  }
}

async function behave(behaviour: Behaviour, response: ServerResponse): Promise<void> {
  const socket = response.socket!
  switch (behaviour.do) {
    case 'answer':
      await behaviour.after
      response.writeHead(behaviour.status, behaviour.headers as Record<string, string | string[]> | undefined)
      response.end(behaviour.body)
      return
    case 'raw':
      socket.write(behaviour.bytes, 'latin1', () => {
        if (behaviour.then === 'end') socket.end()
        if (behaviour.then === 'reset') socket.resetAndDestroy()
      })
      return
    case 'drip':
      response.writeHead(behaviour.status)
      drip(response)
      return
    case 'hang':
      return
    case 'close_before_reading':
      socket.destroy()
  }
}

function drip(response: ServerResponse): void {
  response.write('.')
  const timer = setInterval(() => response.write('.'), 20)
  response.once('close', () => clearInterval(timer))
}
