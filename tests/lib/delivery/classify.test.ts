import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { classify } from '#lib/delivery/classify.ts'
import type { DeliveryResult } from '#lib/delivery/facts.ts'
import type { PostAnswer } from '#lib/delivery/http-post.ts'

const answered = (status: number, body = '', retryAfter: string | null = null): PostAnswer => ({
  kind: 'answered',
  status,
  body,
  retryAfter,
})

/** The table "Status classes", row for row, over every status that three digits can say. */
function byContract(status: number): DeliveryResult {
  if (status >= 200 && status <= 299) return 'accepted'
  if (status >= 300 && status <= 399) return 'redirect'
  if ([408, 425, 429].includes(status)) return 'retry'
  if (status === 410) return 'gone'
  if (status === 401 || status === 403) return 'unauthorized'
  if (status >= 400 && status <= 499) return 'rejected'
  return 'retry'
}

test('every status has its class, and those that HTTP does not know are faults of the server', () => {
  const all = Array.from({ length: 1_000 }, (_, status) => status)
  expect(all.map((status) => classify(answered(status)).result)).toEqual(all.map(byContract))
})

test('without an answer it says why: not sent and lost are tried again, forbidden is not', () => {
  const of = (kind: 'not_sent' | 'lost' | 'forbidden') => classify({ kind, reason: 'why' })
  const without = { status: null, detail: 'why', retryAfter: null }
  expect(of('not_sent')).toEqual({ result: 'retry', ...without })
  expect(of('lost')).toEqual({ result: 'unknown', ...without })
  expect(of('forbidden')).toEqual({ result: 'forbidden', ...without })
})

test('status, Retry-After and the beginning of the body go along', () => {
  expect(classify(answered(503, 'busy', '120'))).toEqual({
    result: 'retry',
    status: 503,
    detail: 'busy',
    retryAfter: '120',
  })
  expect(classify(answered(204)).detail).toBeNull()
})

describe('a channel that takes less than 2xx', () => {
  const slack = (status: number, body: string): boolean => status === 200 && body === 'ok'

  test('rejects a success that it does not know', () => {
    expect(classify(answered(200, 'ok'), slack).result).toBe('accepted')
    expect(classify(answered(200, 'no_text'), slack).result).toBe('rejected')
    expect(classify(answered(202, 'ok'), slack).result).toBe('rejected')
  })

  test('has no say about any other answer', () => {
    for (const status of [101, 302, 401, 404, 410, 429, 500])
      for (const takesIt of [true, false])
        expect(classify(answered(status, 'ok'), () => takesIt).result).toBe(byContract(status))
  })
})

describe('the detail', () => {
  const detail = (body: string): string | null => classify(answered(400, body)).detail

  test('is the whole body up to 200 bytes, and the first 200 of a longer one', () => {
    expect(detail('a'.repeat(200))).toBe('a'.repeat(200))
    expect(detail('a'.repeat(201))).toBe('a'.repeat(200))
    expect(detail('\ufeffwith a BOM')).toBe('\ufeffwith a BOM')
  })

  test('is cut at a code point', () => {
    expect(detail('重'.repeat(100))).toBe('重'.repeat(66))
    expect(detail(`${'a'.repeat(197)}🙂`)).toBe('a'.repeat(197))
    expect(detail(`${'a'.repeat(196)}🙂`)).toBe(`${'a'.repeat(196)}🙂`)
  })

  test('of any body is its longest beginning of at most 200 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (body) => {
        const cut = detail(body) ?? ''
        expect(body.startsWith(cut)).toBe(true)
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(200)
        const [next] = body.slice(cut.length)
        if (next !== undefined) expect(Buffer.byteLength(cut + next)).toBeGreaterThan(200)
      }),
    )
  })
})
