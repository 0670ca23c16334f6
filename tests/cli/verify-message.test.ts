import { once } from 'node:events'
import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { runCli } from '#cli/run-cli.ts'
import { type SigningSecrets, signMessage } from '#lib/delivery/signature.ts'
import { formatInstant, MINUTE_MS } from '#lib/time.ts'
import { runBin, startBin } from '#tests/support/bin.ts'
import { capturedContext } from '#tests/support/captured-context.ts'
import { putFile } from '#tests/support/desk.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

const [OLD, NEW] = ['old', 'new'].map((key) => `whsec_${Buffer.alloc(32, key).toString('base64')}`) as [string, string]
const PLAIN = "It's a Secret to Everybody"
const SENT_AT = Date.parse('2026-06-27T23:10:04Z')
const BODY = '{"type":"obs.alert.opened","message":"重大 🙂"}'

interface Scene {
  readonly signedWith?: SigningSecrets
  /** In place of headers of ours. */
  readonly headers?: string
  /** In place of what was signed. */
  readonly body?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  readonly now?: number
}

const lines = (headers: Readonly<Record<string, string>>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')

function folderWith({ signedWith = { current: NEW }, headers, body = BODY }: Scene): string {
  const folder = mkdtempSync(join(tmpdir(), 'obstream-verify-'))
  const signed = signMessage({ id: 'msg_1', at: SENT_AT, body: BODY }, signedWith)
  putFile(folder, 'headers.txt', headers ?? `POST /hook HTTP/1.1\r\nhost: a\r\n${lines(signed)}\r\n`)
  putFile(folder, 'body.json', body)
  return folder
}

const FILES = ['--headers', 'headers.txt', '--body', 'body.json']

async function verify(scene: Scene = {}) {
  const { env = { OBS_WEBHOOK_SECRET: NEW }, args = [], now = SENT_AT } = scene
  const cwd = folderWith(scene)
  const { context, stdout, stderr } = capturedContext()
  const code = await runCli(['verify', 'message', ...FILES, ...args], {
    ...context,
    cwd,
    env,
    clock: new ManualClock(now),
  })
  expect(readdirSync(cwd)).toEqual(['body.json', 'headers.txt'])
  for (const secret of [OLD, NEW, PLAIN]) expect(stdout.text + stderr.text).not.toContain(secret)
  return { code, stderr: stderr.text, json: stdout.text === '' ? undefined : JSON.parse(stdout.text) }
}

const refusedWith = (code: number, reason: string): object => ({
  code,
  stderr: expect.stringContaining(reason),
  json: undefined,
})

describe('a message that is right', () => {
  test('ends with 0 and says what was checked, and that replay is noticed', async () => {
    expect(await verify()).toEqual({
      code: 0,
      stderr: `webhook-signature fits: msg_1, sent 2026-06-27T23:10:04Z, ${Buffer.byteLength(BODY)} bytes of body; it protects against replay: a copy is refused after five minutes, and known by its id before\n`,
      json: {
        status: 'ok',
        verified_by: 'webhook-signature',
        replay_safe: true,
        message_id: 'msg_1',
        sent_at: '2026-06-27T23:10:04Z',
        body_bytes: Buffer.byteLength(BODY),
      },
    })
  })

  test('by X-OBS-Signature only says that replay is not noticed, and believes neither id nor time', async () => {
    const env = { OBS_WEBHOOK_SECRET: PLAIN }
    expect(await verify({ signedWith: { current: PLAIN }, env, now: SENT_AT + 60 * MINUTE_MS })).toMatchObject({
      code: 0,
      stderr: `x-obs-signature fits: ${Buffer.byteLength(BODY)} bytes of body\nwarning: it does not protect against replay, for it holds neither id nor time; webhook-signature, which does, comes with a whsec_ secret\n`,
      json: { status: 'ok', verified_by: 'x-obs-signature', replay_safe: false, message_id: null, sent_at: null },
    })
  })

  test('by X-OBS-Signature only, though there should be the other one, is perhaps a replay, and a warning says so', async () => {
    const { 'x-obs-signature': own } = signMessage({ id: 'msg_1', at: SENT_AT, body: BODY }, { current: NEW })
    expect(await verify({ headers: `x-obs-signature: ${own}`, args: ['--quiet'] })).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('is missing, though obstream sends it with this secret: perhaps it is a replay'),
      json: { replay_safe: false },
    })
  })

  test('may have its headers in a JSON object', async () => {
    const headers = JSON.stringify(signMessage({ id: 'msg_1', at: SENT_AT, body: BODY }, { current: NEW }))
    expect(await verify({ headers })).toMatchObject({ code: 0 })
  })

  test('may have come long ago, when --at says so', async () => {
    const args = ['--at', formatInstant(SENT_AT + 4 * MINUTE_MS)]
    expect(await verify({ args, now: SENT_AT + 999 * MINUTE_MS })).toMatchObject({ code: 0 })
  })

  test('is looked at byte for byte, whatever the bytes are', async () => {
    expect(await verify({ body: Buffer.concat([Buffer.from(BODY), Buffer.from([0xff])]) })).toMatchObject({ code: 65 })
  })
})

describe('a message that is not right ends with 65 and the reason', () => {
  test.each([
    ['a changed byte', { body: BODY.replace('opened', 'openeD') }, 'another secret, or something was changed'],
    ['an end of line that an editor has added', { body: `${BODY}\n` }, 'something was changed'],
    ['another secret', { env: { OBS_WEBHOOK_SECRET: OLD } }, 'another secret'],
    [
      'an old time',
      { now: SENT_AT + 6 * MINUTE_MS },
      'sent 360 s ago, which is more than five minutes: perhaps a replay',
    ],
    ['a future time', { now: SENT_AT - 6 * MINUTE_MS }, '360 s in the future'],
    ['no signature', { headers: 'host: a\n' }, 'neither webhook-signature nor x-obs-signature'],
  ])('%s', async (_, scene: Scene, reason) => {
    expect(await verify(scene)).toEqual(refusedWith(65, reason))
    expect((await verify(scene)).stderr).toContain('[OBS_SIGNATURE_INVALID]')
  })

  test('and with --json as an object', async () => {
    expect(await verify({ env: { OBS_WEBHOOK_SECRET: OLD }, args: ['--json'] })).toMatchObject({
      code: 65,
      json: {
        status: 'error',
        error_code: 'OBS_SIGNATURE_INVALID',
        error_message: expect.stringContaining('the message is refused: '),
      },
    })
  })
})

describe('secrets', () => {
  const byOld = { signedWith: { current: OLD } }

  test('while they are rotated are two: the second from the variable with _PREVIOUS behind its name', async () => {
    const env = { OBS_WEBHOOK_SECRET: NEW, OBS_WEBHOOK_SECRET_PREVIOUS: OLD }
    expect(await verify({ ...byOld, env })).toMatchObject({ code: 0 })
    expect(await verify({ env })).toMatchObject({ code: 0 })
    expect(await verify({ ...byOld, env: { OBS_WEBHOOK_SECRET: NEW } })).toMatchObject({ code: 65 })
  })

  test('stand in the variables that flags name, or in the files that these name', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'obstream-secret-'))
    putFile(folder, 'new', `${NEW}\n`)
    const env = { DESK_FILE: join(folder, 'new'), DESK_OLD: OLD }
    expect(await verify({ env, args: ['--secret-env', 'DESK'] })).toMatchObject({ code: 0 })
    expect(await verify({ ...byOld, env, args: ['--secret-env', 'DESK'] })).toMatchObject({ code: 65 })
    const both = ['--secret-env', 'DESK', '--previous-secret-env', 'DESK_OLD']
    expect(await verify({ ...byOld, env, args: both })).toMatchObject({ code: 0 })
  })

  test.each([
    ['is not set', {}, [], 'the environment variable OBS_WEBHOOK_SECRET is not set'],
    [
      'before is not set, though a flag names it',
      { OBS_WEBHOOK_SECRET: NEW },
      ['--previous-secret-env', 'OLD_ONE'],
      'the environment variable OLD_ONE is not set',
    ],
    ['is empty behind whsec_, so that anybody could sign', { OBS_WEBHOOK_SECRET: 'whsec_' }, [], 'stands for 0 bytes'],
    ['before is too short', { OBS_WEBHOOK_SECRET: NEW, OBS_WEBHOOK_SECRET_PREVIOUS: 'short' }, [], 'shorter than 24'],
  ])('of which one %s end with 78', async (_, env, args, reason) => {
    const signedWith = { current: 'whsec_' }
    expect(await verify({ signedWith, env: env as Record<string, string>, args })).toEqual(refusedWith(78, reason))
  })
})

test('files that are not there, and headers that are none, are named', async () => {
  expect(await verify({ args: ['--body', 'other.json'] })).toEqual(refusedWith(66, 'other.json (ENOENT)'))
  expect(await verify({ args: ['--headers', '.'] })).toEqual(refusedWith(66, '(EISDIR)'))
  expect(await verify({ headers: 'no header\n' })).toEqual(refusedWith(65, 'headers.txt, line 1, column 1'))
})

test('the real command needs no configuration and no log', async () => {
  const cwd = folderWith({})
  const args = ['verify', 'message', ...FILES, '--at', formatInstant(SENT_AT)]
  expect(await runBin(args, { cwd, env: { OBS_WEBHOOK_SECRET: NEW } })).toMatchObject({ code: 0 })
  const late = ['verify', 'message', ...FILES, '--at', formatInstant(SENT_AT + 6 * MINUTE_MS)]
  expect(await runBin(late, { cwd, env: { OBS_WEBHOOK_SECRET: NEW } })).toMatchObject({ code: 65, stdout: '' })
  expect(readdirSync(cwd)).toEqual(['body.json', 'headers.txt'])
})

describe('what is called - comes from stdin', () => {
  /** A message of 200 KB comes in several pieces. */
  const body = `${BODY}${' '.repeat(200_000)}`
  const signed = signMessage({ id: 'msg_1', at: SENT_AT, body }, { current: NEW })
  const run = async (flags: readonly string[], input: string) => {
    const cwd = folderWith({ headers: JSON.stringify(signed), body })
    const child = startBin(['verify', 'message', ...flags, '--at', formatInstant(SENT_AT)], {
      cwd,
      env: { OBS_WEBHOOK_SECRET: NEW },
      stdin: 'pipe',
    })
    child.stdin!.end(input)
    const [code] = await once(child, 'close')
    return code
  }

  test('the body, byte for byte', async () => {
    expect(await run(['--headers', 'headers.txt', '--body', '-'], body)).toBe(0)
    expect(await run(['--headers', 'headers.txt', '--body', '-'], `${body}\n`)).toBe(65)
  })

  test('the headers, but not both', async () => {
    expect(await run(['--headers', '-', '--body', 'body.json'], JSON.stringify(signed))).toBe(0)
    expect(await run(['--headers', '-', '--body', '-'], '')).toBe(64)
  })
})
