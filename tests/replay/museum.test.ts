import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { ENGINE } from '#lib/plan.ts'
import { exhibits, MUSEUM, type Replayed, readExpected } from './exhibit.ts'

const REPLAY = fileURLToPath(new URL('replay-exhibit.ts', import.meta.url))

/** A process as it may stand on another desk. */
const places = [
  { TZ: 'Asia/Tokyo', LANG: 'ja_JP.UTF-8' },
  { TZ: 'America/New_York', LANG: 'en_US.UTF-8' },
  { TZ: 'Pacific/Chatham', LC_ALL: 'C' },
  { TZ: 'UTC', LC_ALL: 'tr_TR.UTF-8' },
]

/** What holds for a small log under all of them is asked of a large one under one, which is enough to be quick. */
const placesOf = (exhibit: string) => (/-sources$/.test(exhibit) ? places.slice(0, 1) : places)

async function replayIn(place: NodeJS.ProcessEnv, name: string): Promise<Replayed> {
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = spawn(process.execPath, [REPLAY, name], {
    env: { ...env, ...place },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`the replay of ${name} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as Replayed
}

test.each([
  [`engine-${ENGINE}`, ''],
  [`engine-${ENGINE}-50-sources`, ' --sources 50'],
])('the museum has %s', (name, flags) => {
  if (!exhibits().includes(name))
    throw new Error(`ENGINE has been raised: record what this build says with \`node tools/record-museum.ts${flags}\``)
})

describe.each(exhibits())('%s', (name) => {
  test.each(placesOf(name))(
    'gives the recorded facts and artefacts under %j',
    async (place) => {
      const { topics, artefacts } = readExpected(name)
      const replayed = await replayIn(place, name)
      if (JSON.stringify({ ...replayed, differences: [] }) !== JSON.stringify({ topics, artefacts, differences: [] }))
        throw new Error(
          `what follows from ${name} is not what was recorded. Facts that differ: ${replayed.differences.join(', ') || 'none, only files'}.\n` +
            'A build may only say something else with a raised ENGINE (lib/plan.ts): then `node tools/record-museum.ts` records a new ' +
            `exhibit beside this one, and ${name} is taken as recorded. Everything else is a fold that is not deterministic, or a mistake.`,
        )
      expect(replayed).toEqual({ topics, artefacts, differences: [] })
    },
    120_000,
  )

  test('is small enough to stay for ever', () => {
    expect(statSync(join(MUSEUM, name, 'log.jsonl.gz')).size).toBeLessThan(500_000)
  })
})
