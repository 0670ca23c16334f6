import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { SigningSecrets, Verified } from '#lib/delivery/signature.ts'
import { STANDARD_PREFIX, secretFault, verifyMessage, WEBHOOK_HEADERS } from '#lib/delivery/signature.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { EnvironmentVariables } from '#lib/runtime/secrets.ts'
import { previousVariable, readSecret, secretProblem } from '#lib/runtime/secrets.ts'
import { formatInstant, SECOND_MS } from '#lib/time.ts'
import { parseHeaders } from '../header-text.ts'
import type { CommandRun } from '../program.ts'
import type { Session } from '../session.ts'
import type { VerifyMessageFlags } from '../verify.ts'

type Headers = Readonly<Record<string, string>>
type Right = Extract<Verified, { readonly ok: true }>

/**
 * `obstream verify message`: needs no log and no configuration.
 *
 * @throws OBS_SIGNATURE_INVALID with the reason · OBS_INPUT_MISSING, OBS_INPUT_INVALID · OBS_CLI_USAGE · OBS_CONFIG_INVALID without a secret
 */
export const verifyMessageFiles: CommandRun<readonly [VerifyMessageFlags]> = async (session, flags) => {
  const { context, terminal } = session
  if (flags.headers === STDIN && flags.body === STDIN)
    throw new ObstreamError('OBS_CLI_USAGE', 'headers and body cannot both come from stdin; put one of them in a file')
  const headersText = (await readInput(session, flags.headers)).toString('utf8')
  const headers = parseHeaders(headersText, flags.headers === STDIN ? 'stdin' : flags.headers)
  const body = await readInput(session, flags.body)
  const secrets = secretsOf(flags, context.env)
  const verified = verifyMessage({ headers, body }, secrets, flags.at ?? context.clock.now())
  if (!verified.ok) throw new ObstreamError('OBS_SIGNATURE_INVALID', `the message is refused: ${verified.reason}`)
  terminal.note(described(verified, headers, body))
  if (!verified.isReplaySafe) terminal.warn(replayWarning(secrets))
  terminal.summary({
    status: 'ok',
    verified_by: verified.by,
    replay_safe: verified.isReplaySafe,
    message_id: verified.isReplaySafe ? headers[WEBHOOK_HEADERS.id] : null,
    sent_at: verified.isReplaySafe ? sentAt(headers) : null,
    body_bytes: body.length,
  })
  return undefined
}

/** Id and time that no signature holds are not repeated. */
function described({ by, isReplaySafe }: Right, headers: Headers, body: Buffer): string {
  const size = `${body.length} bytes of body`
  return isReplaySafe
    ? `${by} fits: ${headers[WEBHOOK_HEADERS.id]}, sent ${sentAt(headers)}, ${size}; it protects against replay: a copy is refused after five minutes, and known by its id before`
    : `${by} fits: ${size}`
}

/** With a `whsec_` secret obstream sends `webhook-signature`, so whoever left it out had a reason. */
function replayWarning({ current }: SigningSecrets): string {
  const stronger = `${WEBHOOK_HEADERS.signature}, which does,`
  return `it does not protect against replay, for it holds neither id nor time; ${
    current.startsWith(STANDARD_PREFIX)
      ? `${stronger} is missing, though obstream sends it with this secret: perhaps it is a replay`
      : `${stronger} comes with a ${STANDARD_PREFIX} secret`
  }`
}

const sentAt = (headers: Headers): string => formatInstant(Number(headers[WEBHOOK_HEADERS.timestamp]) * SECOND_MS)

const STDIN = '-'

async function readInput({ dataDir, context }: Session, file: string): Promise<Buffer> {
  if (file === STDIN)
    return Buffer.concat((await Array.fromAsync(context.stdin ?? [])).map((part) => Buffer.from(part)))
  const path = resolve(dataDir, file)
  try {
    return readFileSync(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new ObstreamError('OBS_INPUT_MISSING', `cannot read ${path} (${code}); correct the path or its permissions`, {
      cause: error,
    })
  }
}

function secretsOf({ secretEnv, previousSecretEnv }: VerifyMessageFlags, env: EnvironmentVariables): SigningSecrets {
  const current = neededSecret(secretEnv, env)
  const implied = previousVariable(secretEnv)
  const previousEnv = previousSecretEnv ?? (readSecret(env, implied) === undefined ? undefined : implied)
  return previousEnv === undefined ? { current } : { current, previous: neededSecret(previousEnv, env) }
}

function neededSecret(variable: string, env: EnvironmentVariables): string {
  const problem = secretProblem(env, variable)
  if (problem) throw new ObstreamError('OBS_CONFIG_INVALID', problem)
  const secret = readSecret(env, variable)!
  const fault = secretFault(secret)
  if (fault) throw new ObstreamError('OBS_CONFIG_INVALID', `the secret in ${variable} cannot be used: ${fault}`)
  return secret
}
