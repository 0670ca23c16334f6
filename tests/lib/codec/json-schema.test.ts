import { expect, test } from '@jest/globals'
import { compileSchema } from '#lib/codec/json-schema.ts'

const check = compileSchema({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  required: ['id', 'at'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', pattern: '^[a-z]+$' },
    at: { type: 'string', format: 'date-time' },
    status: { enum: ['green', 'red'] },
    version: { const: '1.0.0' },
    rows: { type: 'array', items: { type: 'integer', minimum: 0, unit: 'ms' } },
    'a/b~c': { type: ['string', 'null'] },
  },
})

test('a valid value has no faults', () => {
  expect(check({ id: 'a', at: '2026-06-27T23:00:00Z', rows: [0, 1], 'a/b~c': null })).toEqual([])
})

test('all faults are told at once, each with its place and value', () => {
  const value = { id: 'A', status: 'blue', version: 2, rows: [1, -1, 'x'], 'a/b~c': 5, 'un/known': true }
  expect(check(value)).toEqual([
    { pointer: '/at', value: undefined, message: 'is missing' },
    { pointer: '/un~1known', value: true, message: 'is not known here' },
    { pointer: '/id', value: 'A', message: 'must match pattern "^[a-z]+$"' },
    { pointer: '/status', value: 'blue', message: 'must be one of ["green","red"]' },
    { pointer: '/version', value: 2, message: 'must be "1.0.0"' },
    { pointer: '/rows/1', value: -1, message: 'must be >= 0' },
    { pointer: '/rows/2', value: 'x', message: 'must be integer' },
    { pointer: '/a~1b~0c', value: 5, message: 'must be string,null' },
  ])
})

test('formats are checked, the whole value has the empty pointer', () => {
  expect(check({ id: 'a', at: '2026-02-30T00:00:00Z' })).toMatchObject([{ pointer: '/at' }])
  expect(check([])).toEqual([{ pointer: '', value: [], message: 'must be object' }])
})

test('the value is not changed', () => {
  const withDefault = compileSchema({ type: 'object', properties: { a: { type: 'integer', default: 1 } } })
  const value = {}
  expect(withDefault(value)).toEqual([])
  expect(value).toEqual({})
})

test('a misspelt keyword of the schema is an error', () => {
  expect(() => compileSchema({ type: 'object', requird: ['a'] })).toThrow('requird')
})
