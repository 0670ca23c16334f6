import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { runBin } from '#tests/support/bin.ts'

const FILES = ['obstream.yaml', 'configs/observability/latency_alert.yaml'] as const

/** What `init` writes, with the `#` taken away from every setting; words have one space behind it. */
async function uncommentedDesk(): Promise<string> {
  const cwd = mkdtempSync(join(tmpdir(), 'obstream-init-'))
  expect(await runBin(['init'], { cwd })).toMatchObject({ code: 0 })
  for (const path of FILES) {
    const text = readFileSync(join(cwd, path), 'utf8')
    writeFileSync(join(cwd, path), text.replaceAll(/^( *)#(?! \S)(?=.)/gm, '$1'))
  }
  return cwd
}

test('what is written as a comment is a valid desk that tells people, once the # is taken away', async () => {
  const cwd = await uncommentedDesk()
  const { config, warnings } = loadConfig({ dataDir: cwd, env: {} })
  expect(warnings).toEqual([])
  expect(config).toMatchObject({
    sources: [{ id: 'router_demo' }, { id: 'signals', kind: 'csv' }],
    channels: [
      { name: 'ops', kind: 'webhook' },
      { name: 'pd', kind: 'pagerduty' },
      { name: 'slack', kind: 'slack' },
    ],
    routes: { warning: ['ops'], critical: ['ops', 'pd'], unacknowledged: ['slack'], owner: ['slack'] },
    publicUrl: 'https://obs.example',
    delivery: { fallback: 'slack', fallbackAfter: 2, ackWithinMs: 1_800_000, allowHosts: [] },
  })
  const check = await runBin(['config', 'check', '--json'], { cwd })
  expect({ code: check.code, ...JSON.parse(check.stdout) }).toMatchObject({ code: 0, status: 'ok', warnings: [] })
})

test('its variables are those that ops/credentials.md lists', async () => {
  const { channels } = parse(readFileSync(join(await uncommentedDesk(), 'obstream.yaml'), 'utf8'))
  const credentials = readFileSync(new URL('../../ops/credentials.md', import.meta.url), 'utf8')
  const variables = Object.values<Record<string, string>>(channels).flatMap((channel) =>
    Object.entries(channel).flatMap(([key, value]) => (key.endsWith('_env') ? value : [])),
  )
  expect(variables).toHaveLength(4)
  for (const variable of variables) expect(credentials).toContain(`| \`${variable}\``)
})
