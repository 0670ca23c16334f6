import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { topics } from '#lib/topics.ts'
import { runBin, startBin } from '#tests/support/bin.ts'
import { freshDesk } from '#tests/support/desk.ts'
import { factsOf } from '#tests/support/desk-log.ts'
import { eventually } from '#tests/support/eventually.ts'
import { openReceiver, type Receiver } from '#tests/support/receiver.ts'

const history = fileURLToPath(new URL('../../examples/history.csv', import.meta.url))
const DEADLINE_MS = 60_000

let receiver: Receiver
beforeAll(async () => {
  receiver = await openReceiver()
})
afterAll(() => receiver.close())

test(
  'at SIGTERM a courier waits for the receiver that hangs, and the ledger says what became of the request',
  async () => {
    receiver.follow({ do: 'hang' })
    const cwd = freshDesk(
      `sources: []
channels: {ops: {kind: webhook, url_env: OPS_URL, secret_env: OPS_SECRET}}
routes: {warning: [ops], critical: [ops]}
page: {bind: "127.0.0.1:0"}
`,
      'rules:\n  - {id: p95, match: "*", threshold_ms: 100}\ndelivery: {allow_hosts: ["127.0.0.1"]}\n',
    )
    const env = { OPS_URL: receiver.url(), OPS_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}` }
    expect(await runBin(['import', history], { cwd, env })).toMatchObject({ code: 0 })
    const desk = startBin(['up'], { cwd, env })
    let stderr = ''
    desk.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    try {
      await eventually(() => receiver.received.length > 0, DEADLINE_MS)
      desk.kill('SIGTERM')
      expect({ ended: await once(desk, 'close'), stderr }).toEqual({
        ended: [0, null],
        stderr: expect.stringContaining('stopped; the next start goes on here\n'),
      })
    } finally {
      desk.kill('SIGKILL')
    }
    const facts = (await factsOf(cwd, topics.delivery)).map(({ value }) => value)
    const intents = facts.filter(({ type }) => type === 'intent')
    const outcomes = facts.flatMap((fact) => (fact.type === 'outcome' ? [fact.result] : []))
    expect(intents.length).toBeGreaterThan(0)
    expect(outcomes).toEqual(intents.map(() => 'unknown'))
  },
  3 * DEADLINE_MS,
)
