import { randomUUID } from 'node:crypto'
import { afterEach, beforeAll, expect } from '@jest/globals'
import { CommandTopic } from '#lib/commands/command-topic.ts'
import type { Alert } from '#lib/facts.ts'
import { alertKey } from '#lib/keys.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { codecOf, type Environment, openEnvironment } from '#lib/runtime/environment.ts'
import { randomIds } from '#lib/runtime/ids.ts'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import { derivedHeaders } from '#lib/runtime/record-headers.ts'
import { topics } from '#lib/topics.ts'
import { type Ended, runBin } from '#tests/support/bin.ts'
import { freshDesk } from '#tests/support/desk.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'

const missing = kafkaMissing()
const MINUTES_3 = 180_000

let kafka: Awaited<ReturnType<typeof sharedKafka>>
let env: Environment | undefined

if (missing === undefined)
  beforeAll(async () => {
    kafka = await sharedKafka()
  }, MINUTES_3)
afterEach(async () => {
  await env?.close()
  env = undefined
})

const ALERT = 'breach/latency_p95/router_demo/2026-06-27T20:00:00Z'

/** An alert as the alerter would have opened it. */
async function openAlert({ log, codecs }: Environment): Promise<void> {
  const alert: Alert = {
    ...{ alertId: ALERT, sequence: 0, kind: 'opened', about: 'breach', severity: 'warning', ruleId: 'latency_p95' },
    ...{ source: 'router_demo', decidedAt: 1, eventAt: 1, openedAt: 1, reason: 'slow', streak: 2, thresholdMs: 5_000 },
    ...{ plan: 'p', evidence: [] },
  }
  const headers = derivedHeaders([0, 0, 0], { offset: 0, crc: '00000000' })
  const record = {
    key: Buffer.from(alertKey(ALERT, 0)),
    value: codecOf({ codecs }, topics.alert).encode(alert),
    headers,
  }
  await log.append(topics.alert.name, 1, [record])
}

testNeeding(
  missing,
  'on Kafka, too, commands of operators reach couriers, from processes of their own',
  async () => {
    const cwd = freshDesk(`log: kafka://${kafka.bootstrap}/${randomUUID().slice(0, 8)}
partitions: 2
registry: {url: "${kafka.registryUrl}"}
sources: [{id: router_demo, kind: http, url: "http://127.0.0.1:9/ping", interval: 15m, timeout: 1s}]
`)
    env = await openEnvironment({
      config: loadConfig({ dataDir: cwd, env: {} }).config,
      ...{ clock: systemClock, ids: randomIds, logger: { info: () => {}, warn: () => {} } },
      metrics: createMetricsRegistry(),
    })
    await openAlert(env)
    const courier = new CommandTopic(env.log, codecOf(env, topics.command))

    const said = ['--by', 'mika', '--reason', 'restart']
    const run = (...args: readonly string[]): Promise<Ended> => runBin(args, { cwd })
    expect(await run('ack', ALERT, ...said)).toMatchObject({ code: 0 })
    expect((await courier.standing()).acknowledgementOf(ALERT)).toMatchObject({ by: 'mika' })

    const silenced = await run('silence', 'source=~"router.*"', '--for', '2h', ...said)
    expect(JSON.parse(silenced.stdout)).toMatchObject({ open_alerts: [ALERT], sources: ['router_demo'] })
    const { silence_id: id } = JSON.parse(silenced.stdout)
    const holding = (await courier.standing()).silencesFor({ source: 'router_demo' }, systemClock.now())
    expect(holding).toMatchObject([{ id, ended: null }])

    expect(await run('unsilence', id, ...said)).toMatchObject({ code: 0 })
    expect((await run('silences', '--all')).stdout).toMatch(new RegExp(`^${id} +expired `, 'm'))
    expect((await courier.standing()).silencesFor({ source: 'router_demo' }, systemClock.now())).toEqual([])
    courier.stop()
  },
  MINUTES_3,
)
