import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { type SigningSecrets, verifyMessage, WEBHOOK_HEADERS } from '#lib/delivery/signature.ts'
import { type EnvironmentVariables, previousVariable, readSecret } from '#lib/runtime/secrets.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
import { type Listening, listenHere } from './listen.ts'

/** What `obstream.yaml` beside this file names; the receivers are on this machine, so the secret guards nothing. */
const DEFAULTS: Readonly<Record<string, string>> = {
  OBS_DEMO_OPS_URL: 'http://127.0.0.1:9001/ops',
  OBS_DEMO_OPS_SECRET: 'whsec_dGhlIGRlbW86IHRoaXMgZ3VhcmRzIG5vdGhpbmc=',
  OBS_DEMO_CHAT_URL: 'http://127.0.0.1:9001/chat',
}

/**
 * The environment for the demo desk: each variable that its channels need is set, to that of the demo where there is none
 * yet; and messages to this machine go through no proxy.
 *
 * @throws OBS_INPUT_MISSING when the file that a variable with `_FILE` names cannot be read
 */
export function demoVariables(env: EnvironmentVariables): EnvironmentVariables {
  const missing = Object.entries(DEFAULTS).filter(([name]) => readSecret(env, name) === undefined)
  return { ...env, ...Object.fromEntries(missing), NO_PROXY: '127.0.0.1' }
}

/** The secret that the receiver `ops` checks with, and the one before it, during a rotation. */
export function opsSecrets(env: EnvironmentVariables): SigningSecrets {
  const previous = readSecret(env, previousVariable('OBS_DEMO_OPS_SECRET'))
  return { current: readSecret(env, 'OBS_DEMO_OPS_SECRET')!, ...(previous === undefined ? {} : { previous }) }
}

export interface Receiving {
  /** Default 9001, as in the addresses of `demoVariables`; 0 takes a free one. */
  readonly port?: number
  /** Of `ops`. */
  readonly secrets: SigningSecrets
  /** Is given a line for each message. */
  readonly print: (line: string) => void
  readonly now: () => Instant
}

/** What a receiver says of a message, and how it answers. */
interface Heard {
  readonly line: string
  readonly status: number
  readonly answer: string
}

/**
 * Starts two receivers behind one port of this machine: `/ops` takes signed messages and checks them, `/chat` takes what
 * Slack would.
 *
 * A message without a right signature is answered 401, and none of it is printed.
 *
 * @throws OBS_HTTP_CANNOT_LISTEN when the port is taken
 */
export async function startReceivers({ port = 9001, secrets, print, now }: Receiving): Promise<Listening> {
  const receivers: Readonly<Record<string, (request: IncomingMessage, body: Buffer) => Heard>> = {
    '/ops': ({ headers }, body) => hearSigned(headers, body, { secrets, now: now() }),
    '/chat': (_request, body) => hearChat(body),
  }
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const hear = request.method === 'POST' ? receivers[request.url ?? ''] : undefined
    if (hear === undefined) return void response.writeHead(404).end()
    const { line, status, answer } = hear(request, await buffer(request))
    print(`${formatInstant(now()).slice(11, 19)}  received  ${request.url!.slice(1)}  ${printable(line)}`)
    response.writeHead(status, { 'content-type': 'text/plain' }).end(answer)
  }
  const server = createServer((request, response) => {
    // A sender that goes away in the middle of its message.
    receive(request, response).catch(() => response.destroy())
  })
  return await listenHere(server, port, 'the receivers of the demo')
}

function hearSigned(
  received: IncomingHttpHeaders,
  body: Buffer,
  { secrets, now }: { readonly secrets: SigningSecrets; readonly now: Instant },
): Heard {
  const headers = Object.fromEntries(
    Object.entries(received).filter((header): header is [string, string] => typeof header[1] === 'string'),
  )
  const verified = verifyMessage({ headers, body }, secrets, now)
  if (!verified.ok)
    return { line: `signature wrong, answered 401: ${verified.reason}`, status: 401, answer: 'signature wrong\n' }
  const message = messageOf(parse(body))
  if (message === null) return { line: 'no message in it, answered 400', status: 400, answer: 'no message\n' }
  const line = `${message} — signature right (${verified.by}), ${headers[WEBHOOK_HEADERS.id]}`
  return { line, status: 200, answer: 'ok\n' }
}

function hearChat(body: Buffer): Heard {
  const { text } = parse(body)
  return typeof text === 'string'
    ? { line: unescaped(text), status: 200, answer: 'ok' }
    : { line: 'no text in it, answered 400', status: 400, answer: 'invalid_payload' }
}

type Fields = Readonly<Record<string, unknown>>

/** The fields of a JSON object; none for anything else. */
function parse(body: Buffer): Fields {
  try {
    return fieldsOf(JSON.parse(body.toString()))
  } catch {
    return {}
  }
}

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})

/** An alert's message is in the first of `data.alerts`, any other's in `data`. */
function messageOf({ data }: Fields): string | null {
  const { alerts, message } = fieldsOf(data)
  const text = Array.isArray(alerts) ? fieldsOf(alerts[0])['message'] : message
  return typeof text === 'string' ? text : null
}

/** As Slack shows it. */
const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

/** On one line, and nothing in it that moves the cursor: anyone on this machine can send us something. */
const printable = (line: string): string => line.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
