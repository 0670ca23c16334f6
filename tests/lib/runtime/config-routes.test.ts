import { describe, expect, test } from '@jest/globals'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { freshDesk, VALID_ALERT, VALID_MAIN } from '#tests/support/desk.ts'

const CHANNELS = 'channels: {ops: {kind: webhook, url_env: OPS_URL}, chat: {kind: slack, url_env: CHAT_URL}}\n'
const ALL = 'warning: [ops], critical: [ops], unacknowledged: [chat]'

interface Desk {
  readonly main?: string
  readonly delivery?: string
  readonly asksWhoIsTold?: boolean
}

function warningsOf({ main = '', delivery = '{}', asksWhoIsTold = true }: Desk): readonly string[] {
  const dataDir = freshDesk(`${VALID_MAIN}${main}`, `${VALID_ALERT}delivery: ${delivery}\n`)
  const { warnings } = loadConfig({ dataDir, env: {}, asksWhoIsTold })
  return warnings.map(({ key, message }) => `${key}: ${message}`)
}

describe('there is a warning, with what to write, when', () => {
  test.each([
    ['there are no channels', '', 'channels: there is none, so nobody is told of any alert; write e.g. `ops: '],
    ['no severity leads anywhere', `${CHANNELS}routes: {owner: [ops, chat]}\n`, 'routes: neither a warning nor '],
    [
      'nobody hears of what is critical',
      `${CHANNELS}routes: {warning: [ops, chat], critical: []}\n`,
      'routes.critical: nobody is told that an alert has become critical',
    ],
    [
      'nobody hears of a warning',
      `${CHANNELS}routes: {critical: [ops, chat]}\n`,
      'routes.warning: nobody is told of an alert before it is critical; write e.g. `warning: [ops]`',
    ],
    [
      'nothing leads to a channel',
      `${CHANNELS}routes: {warning: [ops], critical: [ops]}\n`,
      'channels.chat: no route leads to it and it is no fallback',
    ],
  ])('%s', (_, main, wanted) => {
    expect(warningsOf({ main })).toEqual([expect.stringContaining(wanted)])
    expect(warningsOf({ main, asksWhoIsTold: false })).toEqual([])
  })

  test('nobody would hear that a critical alert was not acknowledged, though ack_within is written', () => {
    const main = `${CHANNELS}routes: {warning: [ops], critical: [ops, chat]}\n`
    expect(warningsOf({ main, delivery: '{ack_within: 10m}' })).toEqual([
      expect.stringContaining('routes.unacknowledged: delivery.ack_within is there'),
    ])
  })
})

test.each([
  ['everybody is told', `${CHANNELS}routes: {${ALL}}\n`, '{ack_within: 10m}'],
  ['a channel is the fallback only', `${CHANNELS}routes: {warning: [ops], critical: [ops]}\n`, '{fallback: chat}'],
  ['nobody is meant to hear of warnings', `${CHANNELS}routes: {warning: [], critical: [ops, chat]}\n`, '{}'],
])('there is none when %s', (_, main, delivery) => {
  expect(warningsOf({ main, delivery })).toEqual([])
})
