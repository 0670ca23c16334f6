/** An error of a connection, by Node's code and in OpenSSL's words. */
interface ConnectionFault {
  readonly code?: unknown
  readonly message?: string
}

const distrusted: ReadonlySet<unknown> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])
const OTHER_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID'
const REFUSAL = /alert (?<what>(?:[a-z]+ )*certificate(?: [a-z]+)*|unknown ca)/
/** What kafkajs puts before the words of an error, and what Node advises behind them: our settings are others. */
const AROUND = /^Connection error: |;.*$/gs

/** Whether a broker does not take our certificate, or misses it. */
export function isCertificateRefused({ message = '' }: ConnectionFault): boolean {
  return REFUSAL.test(message)
}

/** What is wrong with a certificate, and where to look; `undefined` for every other error. */
export function certificateFault({ code, message = '' }: ConnectionFault): string | undefined {
  const words = message.replace(AROUND, '')
  if (distrusted.has(code)) return `its certificate is not trusted (${words}); look at kafka.tls.ca_file`
  if (code === OTHER_NAME) return `its certificate is for another name (${words}); look at kafka.tls.server_name`
  const refusal = REFUSAL.exec(message)?.groups?.['what']
  return refusal && `it does not take our certificate (${refusal}); look at kafka.tls.cert_file`
}
