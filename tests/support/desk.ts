import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const VALID_MAIN = `sources:
  - {id: router_demo, kind: http, url: "http://127.0.0.1:9000/ping"}
`
export const VALID_ALERT = `rules:
  - {id: latency_p95, match: "*", threshold_ms: 5000}
`

/** A fresh data directory with both configuration files; bytes are written as they are. */
export function freshDesk(main: string | Uint8Array = VALID_MAIN, alert: string | Uint8Array = VALID_ALERT): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'obstream-desk-'))
  putFile(dataDir, 'obstream.yaml', main)
  putFile(dataDir, 'configs/observability/latency_alert.yaml', alert)
  return dataDir
}

export function putFile(dataDir: string, path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(dataDir, path)), { recursive: true })
  writeFileSync(join(dataDir, path), content)
}
