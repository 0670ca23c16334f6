import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate that signs itself, valid for two days. */
export interface Certificate {
  /** Key and certificate in PEM, for a server. */
  readonly keystore: string
  /** The certificate in PEM, for clients to trust. */
  readonly ca: string
}

/**
 * Made by `openssl`.
 *
 * @param subjectAltName for whom it is; default: 127.0.0.1 and localhost
 */
export function makeCertificate(subjectAltName = 'IP:127.0.0.1,DNS:localhost'): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'obstream-certificate-'))
  const [keyFile, certificateFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
        ...['-addext', `subjectAltName=${subjectAltName}`, '-keyout', keyFile, '-out', certificateFile],
      ],
      { stdio: 'pipe' },
    )
    const ca = readFileSync(certificateFile, 'utf8')
    return { keystore: readFileSync(keyFile, 'utf8') + ca, ca }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
