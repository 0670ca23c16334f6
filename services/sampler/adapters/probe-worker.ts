import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort } from 'node:worker_threads'
import type { ProbeResult } from '../sample.ts'
import type { HttpTarget } from './http-probe.ts'
import { probeHttp } from './http-probe.ts'
import { LagMeter } from './lag-meter.ts'

/** To the worker. */
export interface ProbeRequest {
  readonly id: number
  readonly target: HttpTarget
}

/** From the worker. */
export interface ProbeReply {
  readonly id: number
  readonly result: ProbeResult
}

const WARM_UP_PROBES = 5
const WARM_UP_TIMEOUT_MS = 1_000

/**
 * The prober's thread: nothing but probes runs here, so that folds, files and garbage of the rest of the process do not
 * disturb what is measured.
 *
 * It first probes itself: until the parser is compiled a probe takes some 20 ms longer, and commands that run once would
 * report that every time.
 */
const lagMeter = new LagMeter()
const isWarm = warmUp()

parentPort?.on('message', async ({ id, target }: ProbeRequest) => {
  await isWarm
  const result = await probeHttp(target, lagMeter)
  parentPort?.postMessage({ id, result } satisfies ProbeReply)
})

async function warmUp(): Promise<void> {
  const server = createServer((_request, response) => void response.end())
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const target: HttpTarget = { url, method: 'GET', headers: {}, timeoutMs: WARM_UP_TIMEOUT_MS, expectedStatus: [200] }
    for (let i = 0; i < WARM_UP_PROBES; i++) await probeHttp(target, lagMeter)
  } catch {
    // A machine that has no loopback interface may still have targets.
  } finally {
    server.close()
    server.closeAllConnections()
  }
}
