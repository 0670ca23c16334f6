import { readFileSync } from 'node:fs'
import { Pool } from 'undici'
import { readUsage, type Usage } from '../machine.ts'

/** The same bodies posted and forgotten: no ledger, no signature, no order. What a courier could reach at most. */
export interface PlainRun extends Usage {
  readonly seconds: number
}

const [url, path, atOnce] = process.argv.slice(2)
const { origin, pathname } = new URL(url!)
const bodies = JSON.parse(readFileSync(path!, 'utf8')) as readonly string[]
const before = readUsage()
const startedAt = performance.now()
const pool = new Pool(origin, { connections: Number(atOnce) })
let next = 0
await Promise.all(
  Array.from({ length: Number(atOnce) }, async () => {
    while (next < bodies.length) {
      const headers = { 'content-type': 'application/json' }
      const answer = await pool.request({ path: pathname, method: 'POST', headers, body: bodies[next++]! })
      await answer.body.dump()
      if (answer.statusCode !== 200) throw new Error(`the receiver answers ${answer.statusCode}`)
    }
  }),
)
const seconds = (performance.now() - startedAt) / 1000
const after = readUsage()
await pool.close()
const run: PlainRun = { seconds, cpuSeconds: after.cpuSeconds - before.cpuSeconds, peakRssMiB: after.peakRssMiB }
process.stdout.write(JSON.stringify(run))
