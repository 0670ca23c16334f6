import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { topics } from '#lib/topics.ts'
import { type Ended, runBin, startBin } from '#tests/support/bin.ts'
import { freshDesk } from '#tests/support/desk.ts'
import { factsOf } from '#tests/support/desk-log.ts'
import { eventually } from '#tests/support/eventually.ts'

const history = fileURLToPath(new URL('../../examples/history.csv', import.meta.url))
const MINUTE = 60_000

/** Every answer is slow there, so its alert stays open. */
const ALERT = 'breach/p95/router_demo/2026-06-22T00:00:00Z'
const cwd = freshDesk(
  `sources:
  - {id: router_demo, kind: http, url: "http://127.0.0.1:9/ping", interval: 15m, timeout: 1s, labels: {desk: fx}}
  - {id: gateway, kind: http, url: "http://127.0.0.1:9/ping", interval: 15m, timeout: 1s, labels: {desk: metals}}
page: {bind: "127.0.0.1:0"}
`,
  'rules:\n  - {id: p95, match: "*", threshold_ms: 100}\n',
)

const said = ['--by', 'mika', '--reason', 'router restart under way']
const run = (...args: readonly string[]): Promise<Ended> => runBin(args, { cwd })
const json = ({ stdout }: Ended): Record<string, unknown> => JSON.parse(stdout)
const commands = async () => (await factsOf(cwd, topics.command)).map(({ key, value }) => ({ key, ...value }))

beforeAll(async () => {
  expect(await run('import', history)).toMatchObject({ code: 0 })
  expect(await run('latency')).toMatchObject({ code: 0 })
}, MINUTE)

describe('beside a running desk', () => {
  test(
    'an alert is acknowledged, silenced and told of again, and every word is on the log',
    async () => {
      const desk = startBin(['up'], { cwd })
      try {
        await once(desk.stderr!, 'data')
        const acked = await run('ack', `https://obs.example/alerts/${encodeURIComponent(ALERT)}`, ...said)
        expect(acked).toMatchObject({ code: 0, stderr: `CRITICAL ${ALERT} is acknowledged by mika\n` })
        expect(json(acked)).toMatchObject({ status: 'ok', alert_id: ALERT, severity: 'critical' })

        const silenced = await run('silence', 'source=~"router.*"', 'severity=critical', '--for', '2h', ...said)
        expect(silenced).toMatchObject({ code: 0, stderr: expect.stringContaining(`  open alert  ${ALERT}\n`) })
        expect(json(silenced)).toMatchObject({
          matchers: 'source=~"router.*", severity="critical"',
          open_alerts: [ALERT],
          sources: ['router_demo'],
        })
        const id = json(silenced)['silence_id'] as string
        const listed = await run('silences')
        expect(listed.stdout).toMatch(/^silence +state +from +until +matchers +by +reason\n/)
        expect(listed.stdout).toMatch(
          new RegExp(
            `^${id} +active .* source=~"router.\\*", severity="critical" +mika +router restart under way$`,
            'm',
          ),
        )

        expect(json(await run('unsilence', id, '--by', 'aki', '--reason', 'it is back'))).toMatchObject({
          ended: [{ silence_id: id, was: 'active' }],
        })
        expect(await run('silences')).toMatchObject({
          stdout: '',
          stderr: 'nothing is silenced, and nothing will be\n',
        })
        expect(json(await run('silences', '--all', '--json'))).toEqual({
          silences: [
            expect.objectContaining({
              id,
              state: 'expired',
              by: 'mika',
              ended: expect.objectContaining({ by: 'aki' }),
            }),
          ],
        })
        expect(await commands()).toEqual([
          {
            ...{ key: json(acked)['command_id'], type: 'ack', alertId: ALERT, at: expect.any(Number) },
            ...{ by: 'mika', reason: 'router restart under way' },
          },
          expect.objectContaining({ key: id, type: 'silence', by: 'mika' }),
          expect.objectContaining({ type: 'unsilence', silenceId: id, by: 'aki', reason: 'it is back' }),
        ])
        expect(desk.exitCode).toBeNull()
      } finally {
        desk.kill('SIGINT')
        await eventually(() => desk.exitCode !== null, MINUTE)
      }
      expect(desk.exitCode).toBe(0)
    },
    2 * MINUTE,
  )

  test(
    'a replay of a log with commands gives every fact and file again',
    async () => {
      expect(await run('latency')).toMatchObject({ code: 0 })
      expect(await run('replay', '--check')).toMatchObject({ code: 0 })
    },
    MINUTE,
  )
})

describe('what is not there is not recorded', () => {
  const refused = async (...args: readonly string[]): Promise<Ended> => {
    const before = await commands()
    const ended = await run(...args)
    expect(await commands()).toEqual(before)
    return ended
  }

  test('an alert that is not open: exit code 65, with the open ones', async () => {
    const other = ALERT.replace('p95', 'p99')
    expect(await refused('ack', other, ...said)).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(
        new RegExp(
          `^error: the alert ${other} is not open; open alerts: \\[OBS_COMMAND_NO_TARGET\\]\n {2}${ALERT} {2}critical: .*\n$`,
        ),
      ),
    })
  })

  test('a silence that nobody knows, or that has ended', async () => {
    expect(await refused('unsilence', 'x', ...said)).toMatchObject({
      code: 65,
      stderr: 'error: the silence x is not known; there are no silences in force [OBS_COMMAND_NO_TARGET]\n',
    })
    const { silences } = json(await run('silences', '--all', '--json')) as { silences: readonly { id: string }[] }
    expect(await refused('unsilence', silences[0]!.id, ...said, '--json')).toMatchObject({
      code: 65,
      stdout: expect.stringContaining('has ended at 2'),
    })
  })

  test('a silence that is over before it begins, or longer than the log remembers', async () => {
    const past = ['--from', '2026-06-22T00:00:00Z', '--for', '1h']
    expect(await refused('silence', 'source=a', ...past, ...said)).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('would have ended at 2026-06-22T01:00:00Z; give a later --from'),
    })
    expect(await refused('silence', 'source=a', '--for', '391d', ...said)).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('at most 390 d from now'),
    })
  })

  test('nothing at all on a desk without a log', async () => {
    expect(await runBin(['ack', ALERT, ...said], { cwd: freshDesk() })).toMatchObject({
      code: 66,
      stderr: expect.stringContaining('[OBS_INPUT_MISSING]'),
    })
  })
})

describe('what is strange is told', () => {
  test('a silence that matches nothing now, with the names that there are', async () => {
    const { code, stdout, stderr } = await run('silence', 'surce=router_demo', '--for', '5m', ...said)
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { open_alerts: [], sources: [] }])
    expect(stderr).toContain(
      'warning: surce="router_demo" matches no open alert and no configured source now; there are the names source, rule, severity, about, alert_id, desk\n',
    )
  })

  test('a second acknowledgement: the first one counts. Who says so may stand in the environment', async () => {
    const { code, stderr } = await runBin(['ack', ALERT, '--reason', 'me, too'], { cwd, env: { OBS_BY: 'aki' } })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^warning: mika acknowledged it before, at \S+: router restart under way; that one counts\n/)
    expect(stderr).toContain(`CRITICAL ${ALERT} is acknowledged by mika\n`)
    expect((await commands()).at(-1)).toMatchObject({ type: 'ack', by: 'aki', reason: 'me, too' })
  })

  test('a silence of a label, and one that has yet to begin', async () => {
    const later = ['--from', new Date(Date.now() + 3_600_000).toISOString()]
    expect(json(await run('silence', 'desk=metals', '--for', '2d', ...later, ...said))).toMatchObject({
      open_alerts: [],
      sources: ['gateway'],
    })
    expect((await run('silences')).stdout).toMatch(/ pending .* desk="metals" /)
  })
})
