import { describe, expect, test } from '@jest/globals'
import { refusalOf } from '#cli/actions/answer-text.ts'
import { refusedAddress, urlTextRefusal } from '#lib/delivery/address-guard.ts'
import type { Answer } from '#lib/delivery/by-hand.ts'
import { describeFault } from '#lib/delivery/transport-faults.ts'

const answer = (fields: Partial<Answer>): Answer => ({
  ...{ at: 0, durationMs: 1, result: 'retry', status: null, detail: null, retryAfter: null },
  ...fields,
})
const told = (fields: Partial<Answer>): string => refusalOf('ops', answer(fields))!.message

describe('the advice fits the fault', () => {
  test.each([
    ['hooks.example/x', 'the URL cannot be read; set the variable of its URL to a whole one, https://…'],
    [
      'ftp://hooks.example/x',
      'the URL is not one of https; set the variable of its URL to one that begins with https://',
    ],
    ['https://me:x@hooks.example/', 'the URL holds a user or a password; take them out of the URL'],
    ['http://hooks.example/', 'does not name its host; use HTTPS, or name the host under delivery.allow_hosts'],
    ['https://10.0.0.1/', 'does not name it; use a public address, or name the host under delivery.allow_hosts'],
    [
      'https://[::ffff:10.0.0.1]/',
      'the URL holds an IPv4-mapped address, and delivery.allow_hosts does not name it; use a public address',
    ],
  ])('of a URL that is not posted to: %s', (url, words) => {
    expect(told({ result: 'forbidden', detail: urlTextRefusal(url, []) })).toContain(
      `the receiver of ops was not asked: `,
    )
    expect(told({ result: 'forbidden', detail: urlTextRefusal(url, []) })).toContain(words)
  })

  test('of a channel that is no longer configured', () => {
    const detail = 'the channel is no longer in the configuration'
    expect(told({ result: 'forbidden', detail })).toContain(
      `${detail}; see what \`channels\` says of it in obstream.yaml`,
    )
  })

  test.each([
    ['CERT_HAS_EXPIRED', 'let its operator mend the certificate, or let this machine trust the authority'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'let its operator mend the certificate'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'let its operator mend the certificate'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'NODE_EXTRA_CA_CERTS names a file'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'see whether the port in its URL is the one of HTTPS'],
    ['ENOTFOUND', 'see whether the host in its URL is written correctly'],
    ['ECONNREFUSED', 'see whether it runs, then try again'],
  ])('of a connection that was not made: %s', (code, words) => {
    const detail = `not connected: ${describeFault({ code })}`
    expect(told({ detail })).toContain(words)
    if (code !== 'ECONNREFUSED') expect(told({ detail })).not.toContain('whether it runs')
  })

  test('of a name that resolves to an address that is not public', () => {
    const detail = `not connected: the name hooks.example resolves to 10.0.0.1, ${refusedAddress('10.0.0.1')}; if it is meant to, name it under delivery.allow_hosts`
    expect(told({ detail })).toMatch(
      /a private address; if it is meant to, name it under .*; else mend what resolves it/,
    )
  })

  test('of one that wants fewer requests', () => {
    expect(told({ status: 429 })).toBe(
      'the receiver of ops has not taken it (429); it wants fewer requests: wait, then try again',
    )
  })
})

test.each([
  ['::ffff:10.0.0.1', 'an IPv4-mapped address'],
  ['0.0.0.0', 'an unspecified address'],
  ['fd00::1', 'a unique-local address'],
  ['10.0.0.1', 'a private address'],
  ['127.0.0.1', 'a loopback address'],
  ['x', 'an unreadable address'],
])('%s is %s', (address, words) => {
  expect(refusedAddress(address)).toBe(words)
})
