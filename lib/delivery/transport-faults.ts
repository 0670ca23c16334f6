/** What may be in an error of undici, of a socket, of TLS or of the resolver. */
interface Fault {
  readonly name?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  /** Of an `AggregateError`: one of each address that was tried. */
  readonly errors?: readonly unknown[]
}

const CODE = /^[A-Z][A-Z0-9_]{1,63}$/
/** The only message that is read: undici has no code for it, and it holds nothing but the status. */
const PROXY_REFUSAL = /^Proxy response \((\d{3})\)/

const words: ReadonlyMap<string, string> = new Map([
  ['ENOTFOUND', 'its name does not exist'],
  ['EAI_AGAIN', 'its name cannot be looked up at the moment'],
  ['ECONNREFUSED', 'nobody listens there, or a firewall refuses'],
  ['ECONNRESET', 'the connection was reset'],
  ['EPIPE', 'the connection was closed'],
  ['ETIMEDOUT', 'it does not answer'],
  ['EHOSTUNREACH', 'there is no way to it'],
  ['ENETUNREACH', 'there is no way to its network'],
  ['EPROTO', 'TLS failed'],
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet'],
  ['CERT_REVOKED', 'its certificate was revoked'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate signs itself and is not trusted'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its certificate comes from an authority that is not trusted'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'its certificate comes from an authority that is not trusted'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'its certificate comes from an authority that is not trusted'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its certificate comes without the ones that signed it'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS there'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'it does not speak TLS there'],
  ['UND_ERR_CONNECT_TIMEOUT', 'it does not answer'],
  ['UND_ERR_SOCKET', 'the connection was closed'],
  ['UND_ERR_HEADERS_OVERFLOW', 'its answer has too many headers'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'its answer is shorter or longer than it says'],
  ['UND_ERR_DESTROYED', 'the sender was closed'],
  ['UND_ERR_INVALID_ARG', 'a header or the path holds characters that HTTP does not allow'],
  ['UND_ERR_PRX_CONN', 'the proxy closed the connection'],
  ['UND_ERR_PRX_TLS', 'the certificate of the proxy is for another name'],
])

/**
 * An error of the transport in words, with its code: `its certificate has expired (CERT_HAS_EXPIRED)`. Made from codes alone,
 * since messages hold host names, and the URL may be a secret.
 */
export function describeFault(error: unknown): string {
  const code = faultCode(error)
  const { name, message } = Object(error) as Fault
  const status = typeof message === 'string' ? PROXY_REFUSAL.exec(message)?.[1] : undefined
  if (status !== undefined) return `the proxy answered ${status}`
  // In undici 8.12.4 they come without a code.
  if (name === 'HTTPParserError') return 'its answer is not HTTP'
  if (code === undefined) return 'for a reason without a code'
  const meaning = words.get(code)
  return meaning === undefined ? code : `${meaning} (${code})`
}

/** What kind of thing has to be mended. */
export type FaultKind = 'certificate' | 'protocol' | 'name'

const kinds: readonly (readonly [FaultKind, RegExp])[] = [
  ['certificate', /^(CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|ERR_TLS_CERT)/],
  ['protocol', /^(ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG)$/],
  ['name', /^ENOTFOUND$/],
]

/** Of a fault that `describeFault` has put in words; `undefined`: it says nothing more than that there was no answer. */
export function faultKind(words: string): FaultKind | undefined {
  const code = /\(([A-Z][A-Z0-9_]+)\)$/.exec(words)?.[1] ?? ''
  return kinds.find(([, codes]) => codes.test(code))?.[0]
}

/** The most telling code in an error, in its causes and, when several addresses were tried, in the first one's error. */
export function faultCode(error: unknown): string | undefined {
  const { code, cause, errors } = Object(error) as Fault
  const inner = [cause, errors?.[0]].map((each) => each && faultCode(each)).find((each) => each !== undefined)
  return (inner as string | undefined) ?? (typeof code === 'string' && CODE.test(code) ? code : undefined)
}
