import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { addressRefusal, isAllowed, parseAllowedHost, urlRefusal } from '#lib/delivery/address-guard.ts'
import { publicByPython, pythonMissing } from '#tests/support/python-addresses.ts'
import { testNeeding } from '#tests/support/required.ts'

const allow = (...entries: readonly string[]) => entries.map((entry) => parseAllowedHost(entry)!)
const refusal = (url: string, ...allowed: readonly string[]) => urlRefusal(new URL(url), allow(...allowed))

describe('an address', () => {
  test.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::6810:84e5', '2a00:1450:4001:80b::200e'])(
    '%s is public',
    (address) => {
      expect(addressRefusal(address)).toBeNull()
    },
  )

  test.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['10.0.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['169.254.169.254', 'link-local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['fd00:ec2::254', 'unique-local'],
    ['100.64.0.1', 'carrier-grade NAT'],
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['::', 'unspecified'],
    ['255.255.255.255', 'broadcast'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['198.18.0.1', 'reserved'],
    ['203.0.113.7', 'reserved'],
    ['2001:db8::1', 'reserved'],
    ['3fff::1', 'reserved'],
    ['::ffff:127.0.0.1', 'IPv4-mapped'],
    ['::ffff:8.8.8.8', 'IPv4-mapped'],
    ['::127.0.0.1', 'IPv4-mapped'],
    ['::7f00:1', 'reserved'],
    ['64:ff9b::7f00:1', 'NAT64'],
    ['64:ff9b:1::a00:1', 'NAT64'],
    ['2002:7f00:1::', '6to4'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'Teredo'],
    ['4000::1', 'reserved'],
    ['fec0::1', 'site-local'],
  ])('%s is refused as %s', (address, range) => {
    expect(addressRefusal(address)).toBe(range)
  })

  test.each(['', '127.1', '0x7f000001', '017700000001', '256.0.0.1', 'localhost', '[::1]', '127.0.0.1 '])(
    'that is not canonical, as "%s", is refused unread',
    (address) => {
      expect(addressRefusal(address)).toBe('unreadable')
    },
  )

  const ipv4 = fc.oneof(
    fc.ipV4(),
    fc
      .tuple(fc.constantFrom(0, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 255), fc.nat(255), fc.nat(255))
      .map(([a, b, c]) => `${a}.${b}.${c}.1`),
  )
  const prefixes = [
    '',
    '64:ff9b::',
    '2001:',
    '2001:db8:',
    '2002:',
    '3fff:',
    'fc00:',
    'fe80:',
    'fec0:',
    'ff0e:',
    '100::',
    '::',
  ]
  const ipv6 = fc
    .tuple(fc.constantFrom(...prefixes), fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }))
    .map(([prefix, bits]) => withPrefix(prefix, bits))

  testNeeding(pythonMissing(), 'is public for us only if it is for Python', () => {
    const addresses = fc.sample(fc.oneof(ipv4, ipv6), { numRuns: 20_000, seed: 5 })
    const python = publicByPython(addresses)
    const holes = addresses.filter((address, index) => addressRefusal(address) === null && !python[index])
    expect(holes).toEqual([])
    expect(addresses.filter((address) => addressRefusal(address) === null).length).toBeGreaterThan(2_000)
  })

  test('carried within an IPv6 address is refused, whatever it is', () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number]
        const high = ((a << 8) | b).toString(16)
        const low = ((c << 8) | d).toString(16)
        const carriers = ['::ffff:', '::', '64:ff9b::', '64:ff9b:1::', '::ffff:0:'].map(
          (head) => `${head}${high}:${low}`,
        )
        for (const carrier of [...carriers, `2002:${high}:${low}::1`, `2001:0:${high}:${low}::1`])
          expect([carrier, addressRefusal(carrier)]).not.toEqual([carrier, null])
      }),
    )
  })
})

/** The address of these bits with its first groups replaced. */
function withPrefix(prefix: string, bits: bigint): string {
  const groups = bits.toString(16).padStart(32, '0').match(/.{4}/g)!
  if (prefix.endsWith('::')) return `${prefix}${groups.slice(6).join(':')}`
  const fixed = prefix.split(':').slice(0, -1)
  return [...fixed, ...groups.slice(fixed.length)].join(':')
}

describe('a URL', () => {
  test('of https with a name is not refused: its addresses are seen when it is connected to', () => {
    expect(refusal('https://hooks.slack.com/services/T/B/x')).toBeNull()
    expect(refusal('https://localhost/')).toBeNull()
  })

  test.each(['ftp://hooks.example/', 'file:///etc/passwd', 'javascript:alert(1)', 'ws://hooks.example/'])(
    '%s is refused for its scheme, allowed host or not',
    (url) => {
      expect(refusal(url, 'hooks.example')).toBe('the URL is not one of https')
    },
  )

  test.each(['https://good@127.0.0.1/', 'https://good.example:x@hooks.example/', 'https://:secret@hooks.example/'])(
    '%s is refused for user or password, allowed host or not',
    (url) => {
      expect(refusal(url, 'hooks.example', '127.0.0.1')).toBe('the URL holds a user or a password')
    },
  )

  test('of plain http is refused unless its host is allowed', () => {
    expect(refusal('http://hooks.example/')).toMatch(/plain http/)
    expect(refusal('http://hooks.example/', 'hooks.example')).toBeNull()
  })

  test.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0x7f.0.0.1/',
    'https://017700000001/',
    'https://0177.0.0.1/',
    'https://127.0.0.1./',
    'https://１２７.０.０.１/',
    'https://127。0。0。1/',
    'https://%31%32%37.0.0.1/',
    'https:\\\\127.0.0.1\\@hooks.example/',
    'https://127.0.0.1#@hooks.example/',
    'https://127.0.0.1?@hooks.example/',
    'https://[::1]/',
    'https://[0:0:0:0:0:0:0:1]/',
  ])('%s is refused as loopback however it is spelled', (url) => {
    expect(refusal(url)).toBe('the URL holds a loopback address, and delivery.allow_hosts does not name it')
  })

  test('with a public address is not refused', () => {
    expect(refusal('https://8.8.8.8/')).toBeNull()
    expect(refusal('https://[2606:4700::1111]/')).toBeNull()
  })

  test('with a private address is not refused when the address is allowed, in any spelling', () => {
    expect(refusal('https://10.0.0.5/', '10.0.0.5')).toBeNull()
    expect(refusal('https://10.0.0.5/', '0xa.0.0.5')).toBeNull()
    expect(refusal('https://[fd00::5]/', '[fd00:0::05]')).toBeNull()
    expect(refusal('https://10.0.0.6/', '10.0.0.5')).not.toBeNull()
  })
})

describe('an allowed host', () => {
  const isAllowedAt = (url: string, entry: string): boolean => isAllowed(allow(entry), new URL(url))

  test.each([
    ['hooks.example', { hostname: 'hooks.example', port: null }],
    ['Hooks.Example.', { hostname: 'hooks.example', port: null }],
    ['hooks.example:8443', { hostname: 'hooks.example', port: 8443 }],
    ['hooks.example:80', { hostname: 'hooks.example', port: 80 }],
    ['bücher.example', { hostname: 'xn--bcher-kva.example', port: null }],
    ['[FD00::5]:8443', { hostname: 'fd00::5', port: 8443 }],
    ['127.1', { hostname: '127.0.0.1', port: null }],
  ])('%s is read', (entry, host) => {
    expect(parseAllowedHost(entry)).toEqual(host)
  })

  test.each([
    '',
    ' ',
    'a b',
    '*.example',
    'https://hooks.example',
    'hooks.example/path',
    'user@hooks.example',
    'hooks.example:',
    'hooks.example:0',
    'hooks.example:65536',
    'hooks.example:x',
    '::1',
    'fd00::5',
    '[::1',
    '[hooks.example]',
    '10.0.0.0/8',
    '300.1.1.1',
  ])('"%s" is none', (entry) => {
    expect(parseAllowedHost(entry)).toBeNull()
  })

  test('without a port is allowed on every port', () => {
    expect(isAllowedAt('http://hooks.example:9000/', 'hooks.example')).toBe(true)
    expect(isAllowedAt('https://HOOKS.example./', 'hooks.example')).toBe(true)
  })

  test("with a port is allowed there only, and the scheme's own port may be left out", () => {
    expect(isAllowedAt('http://hooks.example:9000/', 'hooks.example:9000')).toBe(true)
    expect(isAllowedAt('http://hooks.example:9001/', 'hooks.example:9000')).toBe(false)
    expect(isAllowedAt('https://hooks.example/', 'hooks.example:443')).toBe(true)
    expect(isAllowedAt('http://hooks.example/', 'hooks.example:443')).toBe(false)
    expect(isAllowedAt('http://hooks.example/', 'hooks.example:80')).toBe(true)
  })

  test('does not stand for its subdomains, its parent or what ends alike', () => {
    for (const other of ['a.hooks.example', 'example', 'evilhooks.example', 'hooks.example.evil'])
      expect(isAllowedAt(`https://${other}/`, 'hooks.example')).toBe(false)
  })
})
