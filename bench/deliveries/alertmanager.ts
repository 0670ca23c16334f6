import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { freePorts } from '#tools/kafka/ports.ts'
import { cpuSecondsOf, peakRssMiBOf, type Usage } from '../machine.ts'
import type { FastReceiver } from './fast-receiver.ts'

export interface AlertmanagerRun extends Usage {
  /** From the request with all alerts to the last one at the receiver. */
  readonly seconds: number
}

const PROGRAM = 'prometheus-alertmanager'
const ENDS_WITHIN_MS = 2 * MINUTE_MS

/** Every alert is a message of its own, at once: as a courier does it. */
const configFor = (
  url: string,
): string => `route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1h, repeat_interval: 4h}
receivers: [{name: hook, webhook_configs: [{url: "${url}"}]}]
`

/** @returns `null` when it is not installed */
export function alertmanagerVersion(): string | null {
  const { status, stdout, stderr } = spawnSync(PROGRAM, ['--version'], { encoding: 'utf8' })
  return status === 0 ? /version (\S+)/.exec(stdout + stderr)![1]! : null
}

/**
 * Gives Alertmanager so many alerts in one request, and waits until the receiver has been told of each.
 *
 * @param folder its files are left there
 */
export async function runAlertmanager(
  folder: string,
  alerts: number,
  receiver: FastReceiver,
): Promise<AlertmanagerRun> {
  const config = join(folder, 'alertmanager.yml')
  writeFileSync(config, configFor(receiver.url))
  const [port] = await freePorts(1)
  const flags = [`--config.file=${config}`, `--storage.path=${folder}`, `--web.listen-address=127.0.0.1:${port}`]
  const child = spawn(PROGRAM, [...flags, '--cluster.listen-address=', '--log.level=error'], { stdio: 'ignore' })
  const ended = once(child, 'close')
  try {
    await answers(`http://127.0.0.1:${port}/-/ready`)
    const cpuBefore = cpuSecondsOf(child.pid!)
    const startedAt = performance.now()
    await give(`http://127.0.0.1:${port}/api/v2/alerts`, alerts)
    await receiver.hasTaken(alerts, AbortSignal.timeout(ENDS_WITHIN_MS))
    const seconds = (performance.now() - startedAt) / SECOND_MS
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    return { seconds, cpuSeconds: cpuSecondsOf(child.pid!) - cpuBefore, peakRssMiB: peakRssMiBOf(status) }
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}

async function answers(url: string): Promise<void> {
  const isOver = AbortSignal.timeout(ENDS_WITHIN_MS)
  while (
    !(await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ))
  )
    await wait(50, undefined, { signal: isOver })
}

async function give(url: string, count: number): Promise<void> {
  const alerts = Array.from({ length: count }, (_, i) => ({ labels: { alertname: 'latency', source: `router_${i}` } }))
  const headers = { 'content-type': 'application/json' }
  const { status } = await fetch(url, { method: 'POST', headers, body: JSON.stringify(alerts) })
  if (status !== 200) throw new Error(`Alertmanager answers ${status}`)
}
