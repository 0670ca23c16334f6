import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate for 127.0.0.1 and localhost that signs itself. */
export interface Certificate {
  /** Certificate and key, for a server. */
  readonly pemFile: string
  /** The certificate, for clients to trust, in PEM. */
  readonly ca: string
}

export function makeCertificate(folder: string): Certificate {
  const [key, certificate, pemFile] = ['key.pem', 'certificate.pem', 'keystore.pem'].map((name) => join(folder, name))
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', key!, '-out', certificate!],
    ],
    { stdio: 'pipe' },
  )
  const ca = readFileSync(certificate!, 'utf8')
  writeFileSync(pemFile!, readFileSync(key!, 'utf8') + ca)
  return { pemFile: pemFile!, ca }
}
