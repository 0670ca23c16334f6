import { describe, expect, test } from '@jest/globals'
import { parseHeaders } from '#cli/header-text.ts'

const parse = (text: string) => parseHeaders(text, 'headers.txt')
const TWO = { 'webhook-id': 'msg_1', 'webhook-timestamp': '1614265330' }

describe('headers are read', () => {
  test.each([
    ['as lines', 'webhook-id: msg_1\nwebhook-timestamp: 1614265330\n'],
    ['without an end of the last line', 'webhook-id: msg_1\nwebhook-timestamp: 1614265330'],
    [
      'as they come over the wire',
      'POST /hook?a=b HTTP/1.1\r\nWebhook-Id:msg_1 \r\nWebhook-Timestamp: 1614265330\r\n\r\n',
    ],
    ['as curl writes them down', 'HTTP/2 200 \r\nWEBHOOK-ID:\t msg_1\t\r\nwebhook-timestamp: 1614265330\r\n\r\n'],
    ['with the body still behind them', 'webhook-id: msg_1\nwebhook-timestamp: 1614265330\n\n{"no":"header"}'],
    ['as an object', ' {"Webhook-Id": "msg_1", "webhook-timestamp": 1614265330}\n'],
    ['as an object of lists', '{"webhook-id": ["msg_1"], "webhook-timestamp": ["1614265330"]}'],
  ])('%s', (_, text) => {
    expect(parse(text)).toEqual(TWO)
  })

  test('with what comes twice joined, as HTTP has it, in either form', () => {
    expect(parse('a: 1\nA: 2, 3\n')).toEqual({ a: '1, 2, 3' })
    expect(parse('{"a": ["1", "2"], "A": 3}')).toEqual({ a: '1, 2, 3' })
  })

  test('with colons in what they say, or nothing', () => {
    expect(parse('host: 127.0.0.1:9100\nempty:\n')).toEqual({ host: '127.0.0.1:9100', empty: '' })
  })

  test('where there are none, as none', () => {
    expect([parse(''), parse('\n'), parse('{}')]).toEqual([{}, {}, {}])
  })
})

describe('what is no header is named by its line', () => {
  test.each([
    ['a line without a colon', 'POST / HTTP/1.1\na: 1\nnonsense\n', 'headers.txt, line 3, column 1: no header'],
    ['a name with a space', 'a b: 1', 'headers.txt, line 1, column 1: no header'],
    ['a name that is missing', ': 1', 'headers.txt, line 1'],
    ['a line that goes on', 'a: 1\n  2\n', 'headers.txt, line 2'],
    ['a request line that comes late', 'a: 1\nPOST / HTTP/1.1\n', 'headers.txt, line 2'],
    ['JSON that is none', '{"a": }', 'headers.txt, line 1, column 7'],
    ['a name of JSON that is not allowed', '{"__proto__": "1"}', '"__proto__" is not allowed'],
    ['an object for a header', '{"a": {}}', 'headers.txt: "a" is no header'],
    ['a list of what is no text', '{"a": [null]}', 'headers.txt: "a" is no header'],
  ])('%s', (_, text, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'OBS_INPUT_INVALID', message: expect.stringContaining(message) }),
    )
  })
})
