import { describe, expect, test } from '@jest/globals'
import { ObstreamError } from '#lib/errors.ts'
import { createLogger } from '#lib/runtime/logger.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

const clock = new ManualClock(Date.UTC(2026, 5, 27, 23, 0, 0, 125))

function capture(options: Partial<Parameters<typeof createLogger>[0]> = {}): {
  readonly logger: ReturnType<typeof createLogger>
  readonly lines: string[]
} {
  const lines: string[] = []
  return {
    lines,
    logger: createLogger({ service: 'rollup', clock, sink: { write: (line) => lines.push(line) }, ...options }),
  }
}

test('a line is one JSON object with the names of the Elastic Common Schema', () => {
  const { logger, lines } = capture()
  logger.info({ 'event.action': 'window-closed', 'event.duration': 5 }, 'closed 23:00')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^\{.*\}\n$/)
  expect(JSON.parse(lines[0]!)).toEqual({
    '@timestamp': '2026-06-27T23:00:00.125Z',
    'log.level': 'info',
    'ecs.version': expect.stringMatching(/^8\./),
    'service.name': 'rollup',
    'event.action': 'window-closed',
    'event.duration': 5,
    message: 'closed 23:00',
  })
})

test('an error tells type, code, message, stack and cause', () => {
  const { logger, lines } = capture()
  const error = new ObstreamError('OBS_LOG_BUSY', 'the log was locked', { cause: new Error('SQLITE_BUSY') })
  logger.error({ error }, 'append failed')
  expect(JSON.parse(lines[0]!)).toMatchObject({
    'log.level': 'error',
    message: 'append failed',
    error: {
      type: 'ObstreamError',
      code: 'OBS_LOG_BUSY',
      message: 'the log was locked',
      stack_trace: expect.stringContaining('logger.test.ts'),
      cause: { message: 'SQLITE_BUSY' },
    },
  })
})

test('levels below the asked one are not written', () => {
  const { logger, lines } = capture({ level: 'warn' })
  logger.info('no')
  logger.warn('yes')
  expect(lines).toHaveLength(1)
})

describe('secrets', () => {
  const secret = 'hunter2/"quoted"\\and+more'

  test.each([
    ['the message', (logger: ReturnType<typeof createLogger>) => logger.info(`sent with ${secret}`)],
    ['a field', (logger: ReturnType<typeof createLogger>) => logger.info({ headers: { authorization: secret } }, 'x')],
    [
      'a URL',
      (logger: ReturnType<typeof createLogger>) =>
        logger.info({ url: `https://x/?t=${encodeURIComponent(secret)}` }, 'x'),
    ],
    [
      'the stack of an error',
      (logger: ReturnType<typeof createLogger>) => logger.error({ error: new Error(`cannot post to ${secret}`) }, 'x'),
    ],
  ])('are hidden in %s', (_, write) => {
    const { logger, lines } = capture({ secrets: () => [secret] })
    write(logger)
    expect(lines.join('')).toContain('[hidden]')
    expect(lines.join('')).not.toContain('hunter2')
    expect(() => JSON.parse(lines[0]!)).not.toThrow()
  })

  test('are hidden from people at a terminal too', () => {
    const { logger, lines } = capture({ secrets: () => [secret], pretty: { colour: false } })
    logger.info(`sent with ${secret}`)
    expect(lines.join('')).toContain('[hidden]')
  })
})

test('at a terminal a line is for people, with colour only when asked', () => {
  const { logger, lines } = capture({ pretty: { colour: false } })
  logger.warn('the clock jumped')
  expect(lines.join('')).toMatch(/^\[\d\d:\d\d:\d\d\] WARN: \[rollup\] the clock jumped\n$/)
  const coloured = capture({ pretty: { colour: true } })
  coloured.logger.warn('the clock jumped')
  expect(coloured.lines.join('')).toContain('\u001b[')
})
