import { hash } from 'node:crypto'

/** sha256 as 64 lower-case hex digits; a string is hashed as its UTF-8 bytes. */
export function sha256Hex(content: Uint8Array | string): string {
  return hash('sha256', content, 'hex')
}
