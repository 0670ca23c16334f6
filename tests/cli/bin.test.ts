import type { ChildProcess } from 'node:child_process'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from '@jest/globals'
import { openCodec } from '#lib/codec/avro.ts'
import { factSha256 } from '#lib/codec/fact-json.ts'
import { exitCodes } from '#lib/errors.ts'
import { openLog } from '#lib/eventlog/open.ts'
import type { Tick } from '#lib/facts.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { BIN, runBin, startBin } from '#tests/support/bin.ts'
import { freshDesk, putFile, VALID_ALERT, VALID_MAIN } from '#tests/support/desk.ts'
import { testNeeding } from '#tests/support/required.ts'

const emptyFolder = (): string => mkdtempSync(join(tmpdir(), 'obstream-bin-'))

describe('init', () => {
  test('writes a configuration that is valid as it stands, into the current folder', async () => {
    const cwd = emptyFolder()
    const { code, stdout, stderr } = await runBin(['init'], { cwd })
    expect({ code, summary: JSON.parse(stdout) }).toEqual({
      code: 0,
      summary: { written: ['obstream.yaml', 'configs/observability/latency_alert.yaml'], kept: [] },
    })
    expect(stderr).toContain(join(cwd, 'obstream.yaml'))
    expect(readFileSync(join(cwd, 'configs/observability/latency_alert.yaml'), 'utf8')).toMatch(
      /^\s+threshold_ms: 5000 /m,
    )
    const check = await runBin(['config', 'check', '--json'], { cwd })
    expect(check.code).toBe(0)
    expect(JSON.parse(check.stdout)).toMatchObject({
      status: 'ok',
      warnings: [{ key: 'channels', message: expect.stringContaining('nobody is told of any alert') }],
      sources: [{ source: 'router_demo', rule: 'latency_p95', threshold_ms: 5000 }],
    })
  })

  test('never overwrites, unless --force says so', async () => {
    const cwd = emptyFolder()
    writeFileSync(join(cwd, 'obstream.yaml'), 'mine')
    const first = await runBin(['init'], { cwd })
    expect(JSON.parse(first.stdout)).toEqual({
      written: ['configs/observability/latency_alert.yaml'],
      kept: ['obstream.yaml'],
    })
    expect(readFileSync(join(cwd, 'obstream.yaml'), 'utf8')).toBe('mine')
    expect((await runBin(['init', '--force'], { cwd })).code).toBe(0)
    expect(readFileSync(join(cwd, 'obstream.yaml'), 'utf8')).not.toBe('mine')
  })

  test('where nothing can be created it ends with 73', async () => {
    const cwd = emptyFolder()
    writeFileSync(join(cwd, 'file'), '')
    const { code, stderr } = await runBin(['--data-dir', 'file/below', 'init'], { cwd })
    expect(code).toBe(exitCodes.cannotCreate)
    expect(stderr).toContain('[OBS_ARTEFACT_CANNOT_CREATE]')
  })
})

describe('config check', () => {
  test('prints which rule judges which source, and how soon', async () => {
    const { code, stdout, stderr } = await runBin(['config', 'check'], { cwd: freshDesk() })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^router_demo +latency_p95 +5000 ms +4 +1h 25m to 2h 26m +2h 25m to 3h 26m$/m)
    expect(stderr).toContain('the p95 is the slowest sample')
  })

  test('tells every fault and ends with 78; with --json also as objects', async () => {
    const cwd = freshDesk('locale: fr\nenv: A\n')
    const people = await runBin(['config', 'check'], { cwd })
    expect(people).toMatchObject({ code: exitCodes.configuration, stdout: '' })
    expect(people.stderr).toContain(`${join(cwd, 'obstream.yaml')}:1:9 locale = "fr": write one of en, ja`)
    expect(people.stderr).toContain(':2:6 env = "A"')
    const { faults } = JSON.parse((await runBin(['config', 'check', '--json'], { cwd })).stdout)
    expect(faults).toMatchObject([
      { line: 1, column: 9, key: 'locale' },
      { line: 2, key: 'env' },
    ])
  })

  test('refuses a channel that could never be sent to, without showing its address', async () => {
    const cwd = freshDesk('channels: {chat: {kind: slack, url_env: CHAT_URL}}\nroutes: {critical: [chat]}\n')
    const { code, stderr } = await runBin(['config', 'check'], { cwd, env: { CHAT_URL: 'hooks.example/hunter2' } })
    expect(code).toBe(exitCodes.configuration)
    expect(stderr).toContain('nothing can be sent to what CHAT_URL holds: the URL cannot be read; write all of it')
    expect(stderr).not.toContain('hunter2')
    expect(await runBin(['config', 'check'], { cwd })).toMatchObject({ code: 0 })
  })

  test('prints who is told of what, and warns where nobody is', async () => {
    const channels = '{chat: {kind: slack, url_env: CHAT_URL}, spare: {kind: slack, url_env: SPARE_URL}}'
    const cwd = freshDesk(`${VALID_MAIN}channels: ${channels}\nroutes: {warning: [chat]}\n`)
    const { code, stdout, stderr } = await runBin(['config', 'check'], { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^route +tells\nwarning +chat \(slack\)\ncritical +nobody\nunacknowledged +nobody\nowner +as critical\nfallback +nobody$/m,
    )
    expect(stderr).toMatch(
      /^warning: .*obstream\.yaml:4:1 routes\.critical: nobody is told that .* write e\.g\. `critical: \[chat\]` under `routes`$/m,
    )
    expect(stderr).toMatch(/^warning: .*obstream\.yaml:3:\d+ channels\.spare: no route leads to it/m)
    const json = JSON.parse((await runBin(['config', 'check', '--json'], { cwd })).stdout)
    expect(json).toMatchObject({
      status: 'ok',
      warnings: [{ key: 'channels.spare' }, { key: 'routes.critical' }],
      routes: { warning: ['chat'], critical: [], fallback: null },
    })
  })

  test('without a configuration it says what writes one', async () => {
    const { code, stderr } = await runBin(['config', 'check'], { cwd: emptyFolder() })
    expect(code).toBe(exitCodes.configuration)
    expect(stderr).toContain('obstream init')
  })
})

describe('flags', () => {
  test('paths start at --data-dir, from wherever the command is typed', async () => {
    const dataDir = freshDesk()
    putFile(dataDir, 'other.yaml', VALID_ALERT.replace('5000', '700'))
    const { stdout } = await runBin(
      ['config', 'check', '--json', '--data-dir', dataDir, '--alert-config', 'other.yaml'],
      { cwd: '/' },
    )
    expect(JSON.parse(stdout)).toMatchObject({ sources: [{ threshold_ms: 700 }] })
  })

  test('each has an environment twin, which the flag itself goes before', async () => {
    const env = { OBS_DATA_DIR: freshDesk(), OBS_JSON: '1', OBS_ALERT_CONFIG: 'nowhere.yaml' }
    expect(await runBin(['config', 'check'], { env })).toMatchObject({
      code: exitCodes.configuration,
      stdout: expect.stringContaining('nowhere.yaml'),
    })
    const flag = await runBin(['config', 'check', '--alert-config', 'configs/observability/latency_alert.yaml'], {
      env,
    })
    expect(JSON.parse(flag.stdout)).toMatchObject({ status: 'ok' })
  })

  test('a twin that says 1 is a yes', async () => {
    const { stdout } = await runBin(['topics', 'list'], { env: { OBS_JSON: '1' } })
    expect(JSON.parse(stdout)).toHaveProperty('topics')
  })

  test.each(['0', 'false', 'no', ''])('a twin that says %j is not a yes', async (value) => {
    const { stdout } = await runBin(['topics', 'list'], { env: { OBS_JSON: value } })
    expect(stdout).toMatch(/^topic +partitions/)
  })

  test('--quiet leaves out text for people, never the result', async () => {
    const { stdout, stderr } = await runBin(['init', '--quiet'], { cwd: emptyFolder() })
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toHaveProperty('written')
  })

  test('colour needs a terminal or FORCE_COLOR, and NO_COLOR forbids it', async () => {
    const cwd = emptyFolder()
    expect((await runBin(['config', 'check'], { cwd })).stderr).not.toContain('\u001b[')
    expect((await runBin(['config', 'check'], { cwd, env: { NO_COLOR: '1' } })).stderr).not.toContain('\u001b[')
  })
})

describe('topics', () => {
  test('list shows the catalogue, apply creates it, check finds it, tail reads it', async () => {
    const cwd = freshDesk()
    expect(JSON.parse((await runBin(['topics', 'list', '--json'], { cwd })).stdout).topics).toHaveLength(15)
    expect(await runBin(['topics', 'check'], { cwd })).toMatchObject({ code: exitCodes.missingInput, stdout: '' })
    expect(JSON.parse((await runBin(['topics', 'apply'], { cwd })).stdout)).toEqual({ status: 'ok', differences: [] })
    expect(await runBin(['topics', 'check'], { cwd })).toMatchObject({ code: 0 })
    expect(await runBin(['tail', 'window'], { cwd })).toMatchObject({ code: 0, stdout: '' })
    expect(JSON.parse((await runBin(['topics', 'compact'], { cwd })).stdout)).toEqual({ removed: [] })
  })

  test('a log with another number of partitions differs: exit code 65', async () => {
    const cwd = freshDesk()
    await runBin(['topics', 'apply'], { cwd })
    putFile(cwd, 'obstream.yaml', 'partitions: 3\n')
    const { code, stdout } = await runBin(['topics', 'check'], { cwd })
    expect(code).toBe(exitCodes.badData)
    expect(JSON.parse(stdout).differences).toContainEqual({
      topic: 'obs.sample.v1',
      setting: 'partitions',
      expected: '3',
      actual: '1',
    })
    const unconfigured = await runBin(['topics', 'check', '--log', `sqlite:${cwd}/log/obstream.db`], {
      cwd: emptyFolder(),
    })
    expect(JSON.parse(unconfigured.stdout)).toEqual({ status: 'ok', differences: [] })
  })

  test('a log that obstream cannot use ends with 78', async () => {
    expect(await runBin(['tail', 'window', '--log', 'ftp://x'], { cwd: emptyFolder() })).toMatchObject({
      code: exitCodes.configuration,
      stderr: expect.stringContaining('OBS_LOG_UNSUPPORTED'),
    })
  })
})

describe('tail', () => {
  test('prints each record with the hash that evidence names it by, and follows what another process appends', async () => {
    const cwd = freshDesk()
    const log = await openLog('sqlite:log/obstream.db', { clock: systemClock, partitions: 1, dataDir: cwd })
    try {
      await log.topics.apply(catalogue)
      const codec = await openCodec(topics.sample, openEmbeddedRegistry(log.schemas!))
      const tick = (at: number): Tick => ({ type: 'tick', at, plan: 'a'.repeat(64) })
      const append = (at: number): Promise<unknown> =>
        log.append(topics.sample.name, 0, [{ key: Buffer.alloc(0), value: codec.encode(tick(at)) }])
      await append(1000)
      const child = startBin(['tail', 'sample', '--follow', '--from', 'earliest', '--json'], { cwd })
      const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
      const first = JSON.parse((await lines.next()).value as string)
      expect(first).toEqual({
        topic: 'obs.sample.v1',
        partition: 0,
        offset: 0,
        appended_at: expect.stringMatching(/^\d{4}-.*Z$/),
        cause: null,
        key: '',
        sha256: factSha256(tick(1000)),
        value: { type: 'tick', at: 1000, plan: 'a'.repeat(64) },
      })
      await append(2000)
      expect(JSON.parse((await lines.next()).value as string)).toMatchObject({
        offset: 1,
        sha256: factSha256(tick(2000)),
      })
      const end = once(child, 'close')
      child.kill('SIGINT')
      expect(await end).toEqual([0, null])
      const line = `-  ${factSha256(tick(2000)).slice(0, 12)}  {"type":"tick","at":2000,"plan":"${'a'.repeat(64)}"}\n`
      expect((await runBin(['tail', 'sample', '--from', '1'], { cwd })).stdout).toBe(line)
    } finally {
      await log.close()
    }
  })
})

describe('bin/obstream.mjs', () => {
  test('can be executed itself', () => {
    expect(statSync(BIN).mode & 0o111).toBe(0o111)
    const { status, stdout } = spawnSync(BIN, ['--version'], { encoding: 'utf8' })
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })

  const oldNode = findOldNode()
  const missing = oldNode === undefined ? 'there is no Node older than 24 on the PATH' : undefined

  testNeeding(
    missing,
    'typed on an old Node it runs on the installed one, from any folder, and gives its exit code',
    async () => {
      const { code, stdout } = await runBin(['--version'], { cwd: '/', node: oldNode! })
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
      expect(await runBin(['config', 'check'], { cwd: emptyFolder(), node: oldNode! })).toMatchObject({
        code: exitCodes.configuration,
        signal: null,
      })
    },
  )

  test.each(['SIGINT', 'SIGTERM'] as const)('%s reaches the command, which ends in its own way', async (signal) => {
    const child = await following(oldNode)
    const end = once(child, 'close')
    child.kill(signal)
    expect(await end).toEqual([0, null])
  })

  testNeeding(missing, 'it dies by the signal that its command died by', async () => {
    const child = await following(oldNode)
    const end = once(child, 'close')
    process.kill(childOf(child), 'SIGKILL')
    expect(await end).toEqual([null, 'SIGKILL'])
  })

  testNeeding(missing, 'killed so that it can pass on nothing, it leaves no command behind', async () => {
    const cwd = freshDesk(`${VALID_MAIN}page: {bind: "127.0.0.1:0"}\n`)
    const wrapper = startBin(['up'], { cwd, node: oldNode! })
    let stderr = ''
    const runs = Promise.withResolvers<void>()
    wrapper.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      if (stderr.includes('obstream runs')) runs.resolve()
    })
    await runs.promise
    const command = childOf(wrapper)
    try {
      // The command holds the pipe, too: it closes once both have ended.
      const closed = once(wrapper, 'close', { signal: AbortSignal.timeout(20_000) })
      wrapper.kill('SIGKILL')
      expect(await closed).toEqual([null, 'SIGKILL'])
    } finally {
      if (existsSync(`/proc/${command}`)) process.kill(command, 'SIGKILL')
    }
    expect(stderr).toContain('stopped; the next start goes on here')
  })

  testNeeding(missing, 'without a Node that can it says what to do', async () => {
    const folder = emptyFolder()
    mkdirSync(join(folder, 'bin'))
    copyFileSync(BIN, join(folder, 'bin/obstream.mjs'))
    const { status, stderr } = spawnSync(oldNode!, [join(folder, 'bin/obstream.mjs')], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({
      status: exitCodes.unavailable,
      stderr: expect.stringMatching(/needs Node 24 or newer; this is v\d+.*npm install/),
    })
  })
})

/** A `tail --follow` that has printed its first record, so that it certainly listens to signals. */
async function following(node: string | undefined): Promise<ChildProcess> {
  const cwd = freshDesk()
  const log = await openLog('sqlite:log/obstream.db', { clock: systemClock, partitions: 1, dataDir: cwd })
  await log.topics.apply(catalogue)
  await log.append(topics.run.name, 0, [{ key: Buffer.from('r1'), value: Buffer.from('{}') }])
  await log.close()
  const child = startBin(['tail', 'run', '--follow', '--from', 'earliest'], {
    cwd,
    ...(node === undefined ? {} : { node }),
  })
  await once(child.stdout!, 'data')
  return child
}

/** The pid of the process that a wrapper waits for. */
function childOf({ pid }: ChildProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim())
}

function findOldNode(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'))
  return folders.map((folder) => join(folder, 'node')).find((path) => existsSync(path) && majorOf(path) < 24)
}

function majorOf(node: string): number {
  return Number(/^v(\d+)/.exec(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? 0)
}
