import { describe, expect, test } from '@jest/globals'
import type { CsvHeader } from '#services/sampler/csv-rows.ts'
import { MAX_LINE_BYTES, readHeader, readRow } from '#services/sampler/csv-rows.ts'
import { at } from './desk.ts'

function header(line: string): CsvHeader {
  const read = readHeader(Buffer.from(line))
  if ('type' in read) throw new Error(read.message)
  return read
}

const row = (head: string, line: string | Buffer, source?: string) => readRow(header(head), Buffer.from(line), source)
const latency = (value: string) => row('timestamp_utc,source,latency_ms', `2026-06-27T22:00:00Z,a,${value}`)
const emitAck = (emit: string, ack: string, status = 'ok') => row('ts_emit,ts_ack,status', `${emit},${ack},${status}`)

describe('the header', () => {
  test('may have its columns in any order, and others between', () => {
    expect(row('note, latency_ms ,x,source,timestamp_utc', 'hi,12,,desk,2026-06-27T22:00:00.125Z')).toEqual({
      type: 'row',
      source: 'desk',
      scheduledAt: at('22:00:00.125'),
      latencyMs: 12,
      errorCode: null,
    })
    expect(row('status,ts_ack,ts_emit', 'ok,2026-06-27T22:00:01Z,2026-06-27T22:00:00Z')).toMatchObject({
      source: null,
      latencyMs: 1_000,
    })
  })

  test('may begin with a byte order mark and be quoted', () => {
    expect(row('\ufefftimestamp_utc,source,latency_ms', '2026-06-27T22:00:00Z,a,1')).toMatchObject({ type: 'row' })
    expect(row('\ufeff"timestamp_utc","source","latency_ms"', '"2026-06-27T22:00:00Z","a","1"')).toMatchObject({
      type: 'row',
    })
  })

  test('without a needed column is a fault that names the formats', () => {
    expect(readHeader(Buffer.from('time,latency'))).toEqual({
      type: 'fault',
      column: null,
      message: expect.stringContaining('timestamp_utc, source, latency_ms (and status), or ts_emit, ts_ack, status'),
    })
  })

  test('with a needed column twice is a fault; an ignored one may stand twice', () => {
    expect(readHeader(Buffer.from('timestamp_utc,source,latency_ms,source'))).toMatchObject({
      type: 'fault',
      column: 4,
    })
    expect(readHeader(Buffer.from('x,timestamp_utc,x,source,latency_ms'))).not.toHaveProperty('type')
  })

  test('may name columns like members of every object, which means nothing', () => {
    expect(row('__proto__,constructor,timestamp_utc,source,latency_ms', 'x,y,2026-06-27T22:00:00Z,a,1')).toMatchObject({
      latencyMs: 1,
    })
    expect(Object.keys({})).toEqual([])
  })
})

describe('a latency', () => {
  test.each([
    ['0', 0],
    ['12', 12],
    ['12.49', 12],
    ['12.5', 13],
    ['12.4999999999999999999999', 12],
    ['0.5', 1],
    ['2147483647', 2_147_483_647],
  ])('%s is %i ms', (text, ms) => {
    expect(latency(text)).toMatchObject({ type: 'row', latencyMs: ms })
  })

  test.each(['', '-1', '1e3', '12ms', 'NaN', '0x10', '2147483648', '2147483647.5', '１２', '=1+1', '1 2'])(
    '%s is a fault in its column',
    (text) => {
      expect(latency(text)).toMatchObject({ type: 'fault', column: 3 })
    },
  )

  // By hand, in nanoseconds: 12.4999995 ms, 12.5 ms, 0.4999999 ms, 0.5 ms, across a second, and across zones.
  test.each([
    ['2026-06-27T22:00:00.000000Z', '2026-06-27T22:00:00.012499999Z', 12],
    ['2026-06-27T22:00:00.000000Z', '2026-06-27T22:00:00.012500Z', 13],
    ['2026-06-27T22:00:00.0000005Z', '2026-06-27T22:00:00.0005004Z', 0],
    ['2026-06-27T22:00:00.0000005Z', '2026-06-27T22:00:00.0005005Z', 1],
    ['2026-06-27T22:00:00.999900Z', '2026-06-27T22:00:01.000100Z', 0],
    ['2026-06-27T22:00:00Z', '2026-06-28T07:00:00.25+09:00', 250],
  ])('is ack − emit: %s to %s is %i ms', (emit, ack, ms) => {
    expect(emitAck(emit, ack)).toMatchObject({ type: 'row', latencyMs: ms })
  })

  test('below zero is a fault of the ack', () => {
    expect(emitAck('2026-06-27T22:00:00.0001Z', '2026-06-27T22:00:00Z')).toMatchObject({
      type: 'fault',
      column: 2,
      message: expect.stringContaining('before ts_emit'),
    })
  })
})

describe('a status', () => {
  test.each(['ok', 'OK', 'success', 'Success'])('%s is good', (status) => {
    expect(emitAck('2026-06-27T22:00:00Z', '2026-06-27T22:00:01Z', status)).toMatchObject({
      latencyMs: 1_000,
      errorCode: null,
    })
  })

  test('of another kind is an error without a latency, whatever the other columns hold', () => {
    expect(emitAck('2026-06-27T22:00:00Z', '', 'rejected')).toMatchObject({
      type: 'row',
      latencyMs: null,
      errorCode: 'status_rejected',
    })
    expect(row('timestamp_utc,source,latency_ms,status', '2026-06-27T22:00:00Z,a,,timed out!')).toMatchObject({
      errorCode: 'status_timed_out_',
    })
  })

  test('may be empty where it is optional, and is a fault where it is not', () => {
    expect(row('timestamp_utc,source,latency_ms,status', '2026-06-27T22:00:00Z,a,5,')).toMatchObject({
      latencyMs: 5,
      errorCode: null,
    })
    expect(emitAck('2026-06-27T22:00:00Z', '2026-06-27T22:00:01Z', '')).toMatchObject({ type: 'fault', column: 3 })
  })
})

describe('a line', () => {
  test('may quote fields, with commas and doubled quotes in them', () => {
    expect(row('note,timestamp_utc,source,latency_ms', '"a, ""b""",2026-06-27T22:00:00Z,"desk",7')).toMatchObject({
      source: 'desk',
      latencyMs: 7,
    })
  })

  test.each(['"2026-06-27T22:00:00Z,a,1', '2026-06-27T22:00:00Z,a"b,1', '2026-06-27T22:00:00Z,"a"b,1'])(
    'with quotes that do not match is a fault: %s',
    (line) => {
      expect(row('timestamp_utc,source,latency_ms', line)).toMatchObject({ type: 'fault', column: null })
    },
  )

  test('that is empty says nothing; one with too few or too many columns is a fault', () => {
    expect(row('timestamp_utc,source,latency_ms', '')).toEqual({ type: 'nothing' })
    expect(row('timestamp_utc,source,latency_ms', ' , ,')).toEqual({ type: 'nothing' })
    expect(row('timestamp_utc,source,latency_ms', '2026-06-27T22:00:00Z,a')).toMatchObject({
      message: 'the row has 2 columns, the header 3',
    })
    expect(row('timestamp_utc,source,latency_ms', '2026-06-27T22:00:00Z,a,1,2')).toMatchObject({ type: 'fault' })
    expect(row('timestamp_utc,source,latency_ms', '2026-06-27T22:00:00Z,a,1,,')).toMatchObject({ type: 'row' })
  })

  test('of another source says nothing, even when the rest of it is wrong', () => {
    expect(row('timestamp_utc,source,latency_ms', 'yesterday,b,fast', 'a')).toEqual({ type: 'nothing' })
    expect(row('timestamp_utc,source,latency_ms', 'yesterday,a,fast', 'a')).toMatchObject({ type: 'fault', column: 1 })
  })

  test.each(['2026-06-27T22:00:00', '2026-06-27', '1782597600', '2026-02-30T00:00:00Z', ''])(
    'with the time %s is a fault: no zone is guessed',
    (time) => {
      expect(row('timestamp_utc,source,latency_ms', `${time},a,1`)).toMatchObject({ type: 'fault', column: 1 })
    },
  )

  test('that is no UTF-8 is a fault with the place of the byte', () => {
    const latin1 = Buffer.concat([Buffer.from('2026-06-27T22:00:00Z,caf'), Buffer.from([0xe9]), Buffer.from(',1')])
    expect(row('timestamp_utc,source,latency_ms', latin1)).toMatchObject({
      type: 'fault',
      message: expect.stringContaining('byte 25 of the line (0xe9)'),
    })
    expect(
      row('timestamp_utc,source,latency_ms', Buffer.concat([Buffer.from('口座,x'), Buffer.from([0xe5, 0x8f])])),
    ).toMatchObject({ message: expect.stringContaining('byte 9 of the line (0xe5)') })
  })

  test('with a NUL is a fault', () => {
    expect(row('timestamp_utc,source,latency_ms', '\0\0\0')).toMatchObject({
      type: 'fault',
      message: expect.stringContaining('character 1 of the line is NUL'),
    })
  })

  test('with what a spreadsheet would run is data, or a fault that shows it harmlessly', () => {
    expect(row('timestamp_utc,source,latency_ms,note', '2026-06-27T22:00:00Z,a,1,=cmd|calc')).toMatchObject({
      type: 'row',
      latencyMs: 1,
    })
    expect(row('timestamp_utc,source,latency_ms', '\u001b[31mred,a,1')).toMatchObject({
      message: expect.stringContaining('\\u001b[31mred'),
    })
  })
})

test('the longest line is 64 KiB', () => {
  expect(MAX_LINE_BYTES).toBe(65_536)
})
