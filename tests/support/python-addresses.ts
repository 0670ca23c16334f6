import { spawnSync } from 'node:child_process'
import { findProgram } from './find-program.ts'

/** Why Python's `ipaddress` cannot be asked here; `undefined` when it can. */
export function pythonMissing(): string | undefined {
  return findProgram('python3') === undefined ? 'there is no python3' : undefined
}

/**
 * Whether Python holds each address to be public: `is_global`, not multicast, and of IPv6 not one that carries an IPv4 address.
 *
 * @throws Error when Python fails
 */
export function publicByPython(addresses: readonly string[]): readonly boolean[] {
  const script = `
import ipaddress, json, sys
def is_public(text):
    address = ipaddress.ip_address(text)
    carries = address.version == 6 and (address.ipv4_mapped or address.sixtofour or address.teredo)
    return address.is_global and not address.is_multicast and not carries
print(json.dumps([is_public(text) for text in json.load(sys.stdin)]))`
  const { status, stdout, stderr } = spawnSync('python3', ['-c', script], {
    input: JSON.stringify(addresses),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (status !== 0) throw new Error(`Python failed: ${stderr}`)
  return JSON.parse(stdout)
}
