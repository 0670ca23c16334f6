import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { ENGINE } from '#lib/plan.ts'
import { exhibits, MUSEUM, type Outcome, readExpected } from './exhibit.ts'

const REPLAY = fileURLToPath(new URL('replay-exhibit.ts', import.meta.url))

/** A process as it may stand on another desk. */
const places = [
  { TZ: 'Asia/Tokyo', LANG: 'ja_JP.UTF-8' },
  { TZ: 'America/New_York', LANG: 'en_US.UTF-8' },
  { TZ: 'Pacific/Chatham', LC_ALL: 'C' },
  { TZ: 'UTC', LC_ALL: 'tr_TR.UTF-8' },
]

async function replayIn(place: NodeJS.ProcessEnv, name: string): Promise<Outcome> {
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
  return JSON.parse(stdout) as Outcome
}

test('the museum has an exhibit of this engine', () => {
  if (!exhibits().includes(`engine-${ENGINE}`))
    throw new Error('ENGINE has been raised: record what this build says with `node tools/record-museum.ts`')
})

describe.each(exhibits())('%s', (name) => {
  test.each(places)('gives the recorded facts and artefacts under %j', async (place) => {
    const { topics, artefacts } = readExpected(name)
    const replayed = await replayIn(place, name)
    if (JSON.stringify({ ...replayed, differences: [] }) !== JSON.stringify({ topics, artefacts, differences: [] }))
      throw new Error(
        `what follows from ${name} is not what was recorded. Facts that differ: ${replayed.differences.join(', ') || 'none, only files'}.\n` +
          'A build may only say something else with a raised ENGINE (lib/plan.ts): then `node tools/record-museum.ts` records a new ' +
          `exhibit beside this one, and ${name} is taken as recorded. Everything else is a fold that is not deterministic, or a mistake.`,
      )
    expect(replayed).toEqual({ topics, artefacts, differences: [] })
  })

  test('is small enough to stay for ever', () => {
    expect(statSync(join(MUSEUM, name, 'log.jsonl.gz')).size).toBeLessThan(300_000)
  })
})
