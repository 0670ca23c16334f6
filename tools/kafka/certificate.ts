import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate for 127.0.0.1 and localhost that signs itself, valid for two days. */
export interface Certificate {
  /** Key and certificate in PEM, for a server. */
  readonly keystore: string
  /** The certificate in PEM, for clients to trust. */
  readonly ca: string
}

/** Made by `openssl`. */
export function makeCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'obstream-certificate-'))
  const [keyFile, certificateFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
        ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', keyFile, '-out', certificateFile],
      ],
      { stdio: 'pipe' },
    )
    const ca = readFileSync(certificateFile, 'utf8')
    return { keystore: readFileSync(keyFile, 'utf8') + ca, ca }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
