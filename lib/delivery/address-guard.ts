import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Where a connection is to go, as `URL` names the parts; `port` is empty for the scheme's own. */
export interface Target {
  readonly protocol: string
  readonly hostname: string
  readonly port: string
}

/** A host of `delivery.allow_hosts`. */
export interface AllowedHost {
  /** In the URL parser's spelling: lower case, Punycode, canonical addresses without brackets, no dot at the end. */
  readonly hostname: string
  /** `null`: any. */
  readonly port: number | null
}

/** For who has written an entry that cannot be read. */
export const HOW_TO_WRITE_A_HOST = 'write "host" or "host:port", IPv6 in brackets, no scheme and no path'

const ENTRY = /^(?<host>\[[0-9a-fA-F:.]+\]|[^\s[\]:/\\?#@%*]+)(?::(?<port>[1-9]\d{0,4}))?$/
/** IANA gives out public addresses from nowhere else; ipaddr.js holds every address that it has no range for to be public. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')
const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ['https:', 443],
  ['http:', 80],
])

/**
 * Reads an entry of `delivery.allow_hosts`.
 *
 * - `host`: that host on every port. `host:port`: on this port only, `host:443` also where a URL leaves it out.
 * - A host is a name or an address as a URL has it: `hooks.example`, `10.0.0.5`, `[fd00::5]`. Case, a dot at the end and the
 *   spelling of an address make no difference. There are no wildcards and no networks, and a name does not stand for its
 *   subdomains.
 * - It is compared with the host in the URL: `10.0.0.5` allows no name that resolves to it, and a name is allowed with whatever
 *   it resolves to.
 *
 * @returns `null` for anything else
 */
export function parseAllowedHost(entry: string): AllowedHost | null {
  const { host, port } = ENTRY.exec(entry)?.groups ?? {}
  const url = host === undefined ? null : URL.parse(`http://${host}`)
  if (url === null || Number(port ?? 0) > 65_535) return null
  return { hostname: canonical(url.hostname), port: port === undefined ? null : Number(port) }
}

/** Whether the operator vouches for this host: then it may be spoken to in plain HTTP and at any address. */
export function isAllowed(allowed: readonly AllowedHost[], { protocol, hostname, port }: Target): boolean {
  const wantedName = canonical(hostname)
  const wantedPort = port === '' ? DEFAULT_PORTS.get(protocol) : Number(port)
  return allowed.some((each) => each.hostname === wantedName && (each.port === null || each.port === wantedPort))
}

/** What `urlTextRefusal` says of a URL whose address is not yet the question. */
export const urlRefusals = {
  unreadable: 'the URL cannot be read',
  scheme: 'the URL is not one of https',
  credentials: 'the URL holds a user or a password',
  plain: 'the URL is one of plain http, and delivery.allow_hosts does not name its host',
} as const

/**
 * Why a URL must not be posted to, as far as its text shows it: another scheme than `https` (or `http` to an allowed host), user
 * or password in it, a literal address that is not public. What a name resolves to is a question for the moment of connecting.
 *
 * @returns the reason, without any part of the URL; `null` when nothing speaks against it
 */
export function urlRefusal(url: URL, allowed: readonly AllowedHost[]): string | null {
  if (!DEFAULT_PORTS.has(url.protocol)) return urlRefusals.scheme
  if (url.username !== '' || url.password !== '') return urlRefusals.credentials
  if (isAllowed(allowed, url)) return null
  if (url.protocol === 'http:') return urlRefusals.plain
  const hostname = canonical(url.hostname)
  const refused = isIP(hostname) === 0 ? null : refusedAddress(hostname)
  return refused && `the URL holds ${refused}, and delivery.allow_hosts does not name it`
}

/** `urlRefusal` of a text that may be no URL at all. */
export function urlTextRefusal(text: string, allowed: readonly AllowedHost[]): string | null {
  const url = URL.parse(text)
  return url === null ? urlRefusals.unreadable : urlRefusal(url, allowed)
}

/**
 * Why an address must not be connected to unless its host is allowed: everything that is not public unicast. Loopback, private,
 * link-local (the metadata services of clouds), carrier-grade NAT, unique-local, multicast, unspecified, reserved, and every
 * IPv6 address that carries another one in it (IPv4-mapped and -compatible, NAT64, 6to4, Teredo), whichever that is: on a
 * network that reaches IPv4 by NAT64 a receiver without IPv6 has to be allowed by name.
 *
 * The ranges are those of ipaddr.js, which Express and Fastify trust for the same question; it follows IANA's registries, and
 * they change (RFC 9637 of 2024 added one), so they are not ours to keep. Public addresses to which a cloud gave a private
 * meaning (168.63.129.16 of Azure) are public here.
 *
 * @param address canonical, as the resolver and the URL parser give it; anything else is refused
 * @returns the name of the range; `null` when it is public
 */
export function addressRefusal(address: string): string | null {
  if (isIP(address) === 0) return 'unreadable'
  const parsed = ipaddr.parse(address)
  const range = parsed.range()
  if (range !== 'unicast') return rangeNames[range] ?? range
  return parsed.kind() === 'ipv6' && !parsed.match(GLOBAL_UNICAST) ? 'reserved' : null
}

/** `addressRefusal` in words: `a private address`, `an IPv4-mapped address`; `null` when it is public. */
export function refusedAddress(address: string): string | null {
  const range = addressRefusal(address)
  // Only of `unique-local` the vowel does not sound like one.
  return range && `${/^(?!uni)[aeiou]/i.test(range) ? 'an' : 'a'} ${range} address`
}

/** Ranges whose name in ipaddr.js a person would not read at once. */
const rangeNames: Readonly<Record<string, string>> = {
  carrierGradeNat: 'carrier-grade NAT',
  linkLocal: 'link-local',
  uniqueLocal: 'unique-local',
  ipv4Mapped: 'IPv4-mapped',
  rfc6145: 'IPv4-translated',
  rfc6052: 'NAT64',
  teredo: 'Teredo',
  deprecatedSiteLocal: 'site-local',
}

function canonical(hostname: string): string {
  return hostname.replace(/^\[(.+)\]$/, '$1').replace(/\.$/, '')
}
