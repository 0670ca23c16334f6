import { beforeEach, describe, expect, test } from '@jest/globals'
import { topics } from '#lib/topics.ts'
import { factsOf } from '#tests/support/desk-log.ts'
import { ALERT, type DeliveryDesk, openDeliveryDesk, transition } from './delivery-desk.ts'

const OTHER = ALERT.replace('router_demo', 'gateway')
const GAP = 'no_data/p95/router_demo/gap/2026-06-27T20:15:00Z'
const said = ['--by', 'ann', '--reason', 'looking at it']

let desk: DeliveryDesk
beforeEach(async () => {
  desk = await openDeliveryDesk()
  const opened = (alertId: string) => transition('opened', 1, { alertId, about: 'no_data' })
  await desk.raise(opened(ALERT), opened(OTHER), opened(GAP))
})

const commands = async () => (await factsOf(desk.dataDir, topics.command)).map(({ value }) => value)

describe('ack and explain take what people copy', () => {
  const copied = [
    ['the evidence link', `https://obs.example/alerts/${encodeURIComponent(ALERT)}`],
    ['the dedup key of PagerDuty', `obs:local:${ALERT}`],
    ['the key of a transition', `${ALERT}/0001`],
  ]
  test.each(copied)('%s', async (_, text) => {
    expect(await desk.run(['ack', text!, ...said])).toMatchObject({ code: 0, summary: { alert_id: ALERT } })
    expect((await desk.run(['explain', text!])).stdout).toMatch(new RegExp(`^${ALERT}\n`))
    expect(await commands()).toMatchObject([{ type: 'ack', alertId: ALERT }])
  })
})

describe('ack takes the beginning of an id', () => {
  test('that only one open alert has', async () => {
    expect(await desk.run(['ack', 'no_d', ...said])).toMatchObject({ code: 0, summary: { alert_id: GAP } })
  })

  test('that several have: they are listed, and nothing is recorded', async () => {
    expect(await desk.run(['ack', 'breach/p95', ...said])).toMatchObject({
      code: 65,
      stderr: `error: breach/p95 is the beginning of several; open alerts: [OBS_COMMAND_NO_TARGET]\n  ${OTHER}  critical: it was opened\n  ${ALERT}  critical: it was opened\n`,
    })
    expect(await commands()).toEqual([])
  })

  test('of at least four characters', async () => {
    expect(await desk.run(['ack', 'no_', ...said])).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('the alert no_ is not open; open alerts: [OBS_COMMAND_NO_TARGET]\n'),
    })
  })
})

describe('unsilence', () => {
  const silence = async (matcher: string): Promise<string> =>
    (await desk.run(['silence', matcher, '--for', '1h', ...said])).summary['silence_id'] as string
  const states = async () =>
    ((await desk.run(['silences', '--all', '--json'])).summary['silences'] as readonly Record<string, string>[]).map(
      ({ state }) => state,
    )

  test('ends several at once, each only once', async () => {
    const [one, two] = [await silence('source=router_demo'), await silence('source=gateway')]
    expect(await desk.run(['unsilence', one, two, one, ...said])).toMatchObject({
      code: 0,
      stderr: 'the silence of source="router_demo" has ended\nthe silence of source="gateway" has ended\n',
      summary: {
        ended: [
          { silence_id: one, was: 'active' },
          { silence_id: two, was: 'active' },
        ],
      },
    })
    expect(await states()).toEqual(['expired', 'expired'])
  })

  test('ends none when one of them is not there', async () => {
    const one = await silence('source=router_demo')
    expect(await desk.run(['unsilence', one, 'another', ...said])).toMatchObject({ code: 65 })
    expect(await states()).toEqual(['active'])
  })

  test('takes the beginning of an id, and lists those that share it', async () => {
    const [one, two] = [await silence('source=router_demo'), await silence('source=gateway')]
    // Both were made within the seconds that the beginning of an id stands for.
    const { code, stderr } = await desk.run(['unsilence', one.slice(0, 6), ...said])
    expect(code).toBe(65)
    expect(stderr).toContain(`${one.slice(0, 6)} is the beginning of several; silences in force: [OBS_COMMAND_NO`)
    expect(stderr).toContain(`  ${two}  active: source="gateway"\n`)
    expect(await desk.run(['unsilence', one.slice(0, -1), ...said])).toMatchObject({
      summary: { ended: [{ silence_id: one }] },
    })
  })
})

describe('silences', () => {
  test('lists those whose matchers fit a filter', async () => {
    const ids = new Map<string, string>()
    for (const matcher of ['source=router_demo', 'source=~"router.*"', 'desk=fx']) {
      const { summary } = await desk.run(['silence', matcher, 'about=no_data', '--for', '1h', ...said])
      ids.set(matcher, summary['silence_id'] as string)
    }
    const found = async (...filter: readonly string[]) =>
      ((await desk.run(['silences', ...filter, '--json'])).summary['silences'] as readonly { id: string }[]).map(
        ({ id }) => [...ids].find(([, known]) => known === id)![0],
      )
    expect(await found()).toEqual([...ids.keys()])
    expect(await found('source=router_demo')).toEqual(['source=router_demo'])
    expect(await found('source=~"router.*"')).toEqual(['source=router_demo', 'source=~"router.*"'])
    expect(await found('about=no_data', 'desk=fx')).toEqual(['desk=fx'])
    expect(await found('desk!=fx, source!=router_demo')).toEqual(['source=~"router.*"'])
    expect(await desk.run(['silences', 'source=gateway'])).toMatchObject({
      stdout: '',
      stderr: 'no silence has matchers that fit source="gateway"\n',
    })
    expect(await desk.run(['silences', 'source='])).toMatchObject({ code: 0 })
    expect(await desk.run(['silences', 'source'])).toMatchObject({ code: 64 })
  })
})

describe('silence warns of what looks like a slip, and holds all the same', () => {
  test.each([
    ['severity="fatal"', 'severity="fatal" fits no alert, severity is warning or critical'],
    ['severity!="fatal"', 'severity!="fatal" fits every alert, severity is warning or critical'],
    ['severity=~"warn|crit"', 'severity=~"warn|crit" fits no alert, severity is warning or critical'],
    ['about="breech"', 'about="breech" fits no alert, about is breach or no_data; did you mean breach?'],
    ['sorce=router_demo', 'nothing has the label sorce; did you mean source?'],
    ['quite_another!=router_demo', 'nothing has the label quite_another'],
  ])('%s', async (matcher, warning) => {
    const { code, stderr } = await desk.run(['silence', matcher, 'source=~".+"', '--for', '1h', ...said])
    expect(code).toBe(0)
    expect(stderr.split('\n')).toContain(`warning: ${warning}`)
    expect(await commands()).toMatchObject([{ type: 'silence' }])
  })

  test.each(['severity=critical', 'severity=~"warn.*"', 'about!=no_data', 'desk=fx', 'source=another'])(
    '%s looks like none',
    async (matcher) => {
      const { stderr } = await desk.run(['silence', matcher, 'source=~".+"', '--for', '1h', ...said])
      expect(stderr).not.toMatch(/ fits | the label /)
    },
  )
})
