import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

/** "Setting up a channel" of docs/notifications.md, done in one shell, as a reader would. */

const root = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(join(root, 'docs/notifications.md'), 'utf8')
const [section] = page.split('\n## Setting up a channel\n')[1]!.split('\n## ')
const blocks = [...section!.matchAll(/^```(?<language>\w*)\n(?<text>[\s\S]*?)^```/gm)].map(({ groups }) => groups!)
const inLanguage = (wanted: string): readonly string[] =>
  blocks.flatMap(({ language, text }) => (language === wanted ? text! : []))
const [shell, files, shown] = [inLanguage('sh'), inLanguage('yaml'), inLanguage('')]

/** Commands that the files are written behind. */
const [init, ...rest] = shell

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** The whole process group ends with it, the receiver in the background too. */
async function run(script: string, port: number): Promise<{ readonly code: number | null; readonly text: string }> {
  const own = Object.entries(process.env).filter(([name]) => !/^OBS_|_PROXY$/i.test(name))
  const env = { ...Object.fromEntries(own), PORT: String(port), npm_config_loglevel: 'silent' }
  const child = spawn('bash', ['-euc', script], { cwd: root, env, detached: true })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += data))
  const [code] = (await once(child, 'exit')) as [number | null]
  try {
    process.kill(-child.pid!, 'SIGTERM')
  } catch {
    // Nothing runs in the background.
  }
  return { code, text }
}

/** Without what is different each time. */
const shapeOf = (text: string): string => text.replaceAll(/msg_[0-9a-f]+/g, 'msg').replaceAll(/\d+/g, '0')

test('whoever follows "Setting up a channel" has a channel that is told', async () => {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'obstream-channel-'))
  const here = (text: string): string =>
    text.replaceAll('--data-dir desk', `--data-dir ${folder}/desk`).replaceAll('127.0.0.1:9100', `127.0.0.1:${port}`)

  expect(await run(here(init!), port)).toMatchObject({ code: 0 })
  expect(files).toHaveLength(2)
  for (const file of files) {
    const [, path] = /^# (desk\/\S+)\n/.exec(file)!
    appendFileSync(join(folder, path!), here(file))
  }
  const { code, text } = await run(here(rest.join('\n')), port)
  expect({ code, text: code === 0 ? '' : text }).toEqual({ code: 0, text: '' })
  const lines = shown.join('').trim().split('\n')
  expect(lines).toHaveLength(2)
  for (const line of lines) expect(shapeOf(text).split('\n')).toContain(shapeOf(line))
  expect(text).not.toContain('nobody')
}, 120_000)
