import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { openFileArtefacts } from '#lib/artefacts/files.ts'
import { testNeeding } from '#tests/support/required.ts'
import { artefactStoreContract } from './contract.ts'

const undo: (() => unknown)[] = []

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'artefacts-'))
  undo.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

artefactStoreContract('the file system', async () => openFileArtefacts(join(await freshFolder(), 'data')))

describe('a file that somebody follows', () => {
  /** What `tail -F` does: keeps the file open, and goes on where it was. */
  async function follow(path: string) {
    const handle = await open(path, 'r')
    undo.push(() => handle.close())
    let at = 0
    return async (): Promise<string> => {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(1_000), 0, 1_000, at)
      at += bytesRead
      return buffer.subarray(0, bytesRead).toString()
    }
  }

  test('is extended where it stands, and renamed as it is: each line is read once', async () => {
    const root = await freshFolder()
    const store = openFileArtefacts(root)
    await store.extend('a.log', Buffer.from('one\n'))
    const next = await follow(join(root, 'a.log'))
    expect(await next()).toBe('one\n')
    await store.extend('a.log', Buffer.from('one\ntwo\n'))
    expect(await next()).toBe('two\n')
    await store.rename('a.log', 'b.log')
    await store.extend('b.log', Buffer.from('one\ntwo\nthree\n'))
    expect(await next()).toBe('three\n')
  })

  test('is completed where a crash has left a part of a line', async () => {
    const root = await freshFolder()
    await writeFile(join(root, 'a.log'), 'one\ntw')
    const next = await follow(join(root, 'a.log'))
    expect(await next()).toBe('one\ntw')
    await openFileArtefacts(root).extend('a.log', Buffer.from('one\ntwo\n'))
    expect(await next()).toBe('o\n')
  })

  test('is another file when it held something else: nothing is changed under the eyes of its reader', async () => {
    const root = await freshFolder()
    await writeFile(join(root, 'a.log'), 'other\n')
    const next = await follow(join(root, 'a.log'))
    await openFileArtefacts(root).extend('a.log', Buffer.from('one\ntwo\n'))
    expect(await next()).toBe('other\n')
    expect(await readFile(join(root, 'a.log'), 'utf8')).toBe('one\ntwo\n')
  })

  test('that two extend at once holds each line once', async () => {
    const root = await freshFolder()
    const stores = [openFileArtefacts(root), openFileArtefacts(root)]
    for (let lines = 'first\n'; lines.length < 5_000; lines += `line ${lines.length}\n`) {
      await Promise.all(stores.map((store) => store.extend('a.log', Buffer.from(lines))))
      expect(await readFile(join(root, 'a.log'), 'utf8')).toBe(lines)
    }
  })
})

describe('no path leads out of the data directory', () => {
  async function withOutside() {
    const folder = await freshFolder()
    const [root, outside] = [join(folder, 'data'), join(folder, 'outside')]
    await mkdir(root)
    await mkdir(outside)
    await writeFile(join(outside, 'secret'), 'old')
    return { root, outside, store: openFileArtefacts(root) }
  }
  const refusal = { code: 'OBS_ARTEFACT_CANNOT_CREATE', exitCode: 73 }

  test('a folder that is a symbolic link to outside is refused, also further up', async () => {
    const { root, outside, store } = await withOutside()
    await symlink(outside, join(root, 'ops'))
    await store.write('inside', Buffer.from('x'))
    for (const path of ['ops/secret', 'ops/new/deep/file']) {
      await expect(store.extend(path, Buffer.from('old and new'))).rejects.toMatchObject(refusal)
      await expect(store.rename('inside', path)).rejects.toMatchObject(refusal)
      await expect(store.rename(path, 'inside')).rejects.toMatchObject(refusal)
      await expect(store.write(path, Buffer.from('x'))).rejects.toMatchObject(refusal)
      await expect(store.read(path)).rejects.toMatchObject(refusal)
      await expect(store.remove(path)).rejects.toMatchObject(refusal)
      await expect(store.list(path)).rejects.toMatchObject(refusal)
    }
    expect(await readdir(outside)).toEqual(['secret'])
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('old')
  })

  test('a link to a file outside is not read, and a write replaces the link, not its target', async () => {
    const { root, outside, store } = await withOutside()
    await symlink(join(outside, 'secret'), join(root, 'file'))
    await expect(store.read('file')).rejects.toMatchObject(refusal)
    await expect(store.extend('file', Buffer.from('old and new'))).rejects.toMatchObject(refusal)
    await store.write('file', Buffer.from('new'))
    expect(await readFile(join(root, 'file'), 'utf8')).toBe('new')
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('old')
  })

  test('a link to nothing is not taken for a folder to be made', async () => {
    const { root, outside, store } = await withOutside()
    await symlink(join(outside, 'later'), join(root, 'ops'))
    await expect(store.write('ops/x', Buffer.from('x'))).rejects.toMatchObject(refusal)
    expect(await readdir(outside)).toEqual(['secret'])
  })

  test('a link to a folder inside is fine, and so is a data directory that is a link itself', async () => {
    const { root, store } = await withOutside()
    await mkdir(join(root, 'real'))
    await symlink(join(root, 'real'), join(root, 'ops'))
    await store.write('ops/x', Buffer.from('x'))
    expect(await readFile(join(root, 'real', 'x'), 'utf8')).toBe('x')
    await symlink(root, `${root}-link`)
    await openFileArtefacts(`${root}-link`).write('ops/y', Buffer.from('y'))
    expect(await readFile(join(root, 'real', 'y'), 'utf8')).toBe('y')
  })
})

describe('what a crash left behind', () => {
  test('is removed when the next file is written there, and is never listed', async () => {
    const root = await freshFolder()
    const dead = spawnSync(process.execPath, ['-e', '']).pid
    await mkdir(join(root, 'ops'))
    const leftover = join(root, 'ops', `.a.csv.${dead}-7.tmp`)
    await writeFile(leftover, 'half')
    const store = openFileArtefacts(root)
    expect(await store.list('ops')).toEqual([])
    await store.write('ops/b.csv', Buffer.from('b'))
    expect(await readdir(join(root, 'ops'))).toEqual(['b.csv'])
  })

  test('is removed also when it has our own process id, as after the restart of a container', async () => {
    const root = await freshFolder()
    await writeFile(join(root, `.a.csv.${process.pid}-1.tmp`), 'half')
    await openFileArtefacts(root).write('a.csv', Buffer.from('a'))
    expect(await readdir(root)).toEqual(['a.csv'])
  })

  test('stays when its process is alive', async () => {
    const root = await freshFolder()
    await writeFile(join(root, `.a.csv.${process.ppid}-1.tmp`), 'being written')
    await openFileArtefacts(root).write('a.csv', Buffer.from('a'))
    expect(await readdir(root)).toEqual([`.a.csv.${process.ppid}-1.tmp`, 'a.csv'])
  })

  test('a process killed while it writes leaves the old file or the new one, never a part', async () => {
    const root = await freshFolder()
    const script = `
      import { openFileArtefacts } from '#lib/artefacts/files.ts'
      const store = openFileArtefacts(process.argv[1])
      for (let i = 0; ; i++) { await store.write('a', Buffer.alloc(300_000, i % 2 ? 'x' : 'y')); if (i === 3) console.log('writing') }`
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, root], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      child.kill('SIGKILL')
      await once(child, 'exit')
      const content = await readFile(join(root, 'a'), 'utf8')
      expect(content).toBe(content[0]!.repeat(300_000))
    }
    await openFileArtefacts(root).write('b', Buffer.from('b'))
    expect((await readdir(root)).sort()).toEqual(['a', 'b'])
  })
})

const isRoot = process.getuid?.() === 0

/** A file system of its own; only root may mount one. */
async function mounted(options: string): Promise<string> {
  const folder = await freshFolder()
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder])
  if (mount.status !== 0) throw new Error(`cannot mount: ${mount.stderr}`)
  undo.push(() => spawnSync('umount', ['-l', folder]))
  return folder
}

const canMount = isRoot && spawnSync('unshare', ['-m', 'true']).status === 0
const noMounts = canMount ? undefined : 'only root may mount a tmpfs'

describe('a disk that takes no more', () => {
  testNeeding(noMounts, 'full: exit 74, the old file is untouched and the temporary one is gone', async () => {
    const root = await mounted('size=256k')
    const store = openFileArtefacts(root)
    await store.write('ops/a.csv', Buffer.from('old'))
    await expect(store.write('ops/a.csv', Buffer.alloc(1_000_000))).rejects.toMatchObject({
      code: 'OBS_ARTEFACT_IO',
      exitCode: 74,
      message: expect.stringMatching(/cannot write ops\/a\.csv: ENOSPC/),
    })
    expect(await readdir(join(root, 'ops'))).toEqual(['a.csv'])
    expect(await readFile(join(root, 'ops/a.csv'), 'utf8')).toBe('old')
    await store.write('ops/a.csv', Buffer.from('new'))
    expect(await readFile(join(root, 'ops/a.csv'), 'utf8')).toBe('new')
  })

  testNeeding(noMounts, 'read-only: exit 73', async () => {
    const root = await mounted('size=256k')
    await openFileArtefacts(root).write('ops/a.csv', Buffer.from('old'))
    expect(spawnSync('mount', ['-o', 'remount,ro', root]).status).toBe(0)
    const store = openFileArtefacts(root)
    for (const path of ['ops/a.csv', 'new/folder/b'])
      await expect(store.write(path, Buffer.from('x'))).rejects.toMatchObject({
        code: 'OBS_ARTEFACT_CANNOT_CREATE',
        exitCode: 73,
      })
    expect(await readFile(join(root, 'ops/a.csv'), 'utf8')).toBe('old')
  })
})

const asNobody = isRoot && spawnSync(process.execPath, ['-e', ''], { uid: 65_534, gid: 65_534 }).status === 0

testNeeding(
  asNobody ? undefined : 'it needs root, to become somebody else',
  'a folder of somebody else: exit 73',
  async () => {
    const root = await freshFolder()
    const script = `
    process.setgid(65534); process.setuid(65534)
    const { openFileArtefacts } = await import('#lib/artefacts/files.ts')
    await openFileArtefacts(process.argv[1]).write('ops/a', Buffer.from('a')).catch((error) => console.log(error.code, error.exitCode, error.message))`
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', script, root], { encoding: 'utf8' })
    expect(run.stdout).toMatch(/^OBS_ARTEFACT_CANNOT_CREATE 73 cannot write ops\/a: EACCES/)
  },
)
