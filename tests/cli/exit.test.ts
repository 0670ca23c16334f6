import { describe, expect, test } from '@jest/globals'
import { reportFailure } from '#cli/exit.ts'
import { type ErrorCode, errorCatalogue, ObstreamError } from '#lib/errors.ts'
import { capturedContext } from '#tests/support/captured-context.ts'

function report(
  error: unknown,
  json: boolean,
): { readonly exitCode: number; readonly stdout: string; readonly stderr: string } {
  const { context, stdout, stderr } = capturedContext()
  return { exitCode: reportFailure(context, error, json), stdout: stdout.text, stderr: stderr.text }
}

const codes = Object.keys(errorCatalogue) as ErrorCode[]

test.each(codes)('%s ends a command with its exit code and its message on stderr', (code) => {
  expect(report(new ObstreamError(code, 'what failed'), false)).toEqual({
    exitCode: errorCatalogue[code].exitCode,
    stdout: '',
    stderr: `error: what failed [${code}]\n`,
  })
})

test('of a message of several lines the code ends the first one', () => {
  expect(report(new ObstreamError('OBS_LOG_BUSY', 'one of:\n  a\n  b\n'), false).stderr).toBe(
    'error: one of: [OBS_LOG_BUSY]\n  a\n  b\n',
  )
})

test('with --json the same stands on stdout as one object on one line', () => {
  const { stdout } = report(new ObstreamError('OBS_LOG_BUSY', 'two\nlines'), true)
  expect(stdout).toMatch(/^[^\n]+\n$/)
  expect(JSON.parse(stdout)).toEqual({ status: 'error', error_code: 'OBS_LOG_BUSY', error_message: 'two\nlines' })
})

describe('what nobody foresaw', () => {
  test('ends with 70; people get the message, the logger the stack', () => {
    const { exitCode, stderr } = report(new TypeError('x is not a function'), false)
    expect(exitCode).toBe(70)
    const [logged, ...told] = stderr.trimEnd().split('\n')
    expect(JSON.parse(logged!)).toMatchObject({
      'log.level': 'error',
      error: {
        type: 'TypeError',
        message: 'x is not a function',
        stack_trace: expect.stringContaining('exit.test.ts'),
      },
    })
    expect(told.join('\n')).toMatch(/^error: unexpected fault: x is not a function\. .*\[OBS_RUNTIME_UNEXPECTED\]$/)
    expect(told.join('\n')).not.toContain('exit.test.ts')
  })

  test('may be anything that can be thrown', () => {
    expect(report('a word', false)).toMatchObject({
      exitCode: 70,
      stderr: expect.stringContaining('unexpected fault: a word'),
    })
    expect(report(undefined, false).exitCode).toBe(70)
  })
})
