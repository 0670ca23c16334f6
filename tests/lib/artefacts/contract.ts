import { describe, expect, test } from '@jest/globals'
import type { ArtefactStore } from '#lib/artefacts/port.ts'
import { inFolder } from '#lib/artefacts/port.ts'

const text = (content: string): Uint8Array => Buffer.from(content)

/** What every artefact store promises. */
export function artefactStoreContract(name: string, open: () => Promise<ArtefactStore>): void {
  describe(`${name} keeps the promises of an artefact store`, () => {
    const contentOf = async (store: ArtefactStore, path: string): Promise<string | null> => {
      const bytes = await store.read(path)
      return bytes && Buffer.from(bytes).toString()
    }

    test('what was written is read back, and a second write replaces the first', async () => {
      const store = await open()
      await store.write('ops/a.csv', text('first and longer'))
      await store.write('ops/a.csv', text('second'))
      expect(await contentOf(store, 'ops/a.csv')).toBe('second')
    })

    test('extending makes the file what it should be, whatever stands there', async () => {
      const store = await open()
      for (const content of ['a', 'ab', 'ab', 'abc\nd', 'xy', 'x', '']) {
        await store.extend('ops/a.log', text(content))
        expect(await contentOf(store, 'ops/a.log')).toBe(content)
      }
    })

    test('a renamed file is the same under another path, in place of what was there', async () => {
      const store = await open()
      await store.write('ops/a.log', text('a'))
      await store.write('ops/old/b.log', text('b'))
      await store.rename('ops/a.log', 'ops/old/b.log')
      expect(await contentOf(store, 'ops/old/b.log')).toBe('a')
      await store.rename('ops/old/b.log', 'new/c.log')
      expect(await store.list('ops')).toEqual([])
      expect(await contentOf(store, 'new/c.log')).toBe('a')
      await store.rename('new/c.log', 'new/c.log')
      expect(await contentOf(store, 'new/c.log')).toBe('a')
    })

    test('what is not there cannot be renamed', async () => {
      const store = await open()
      await expect(store.rename('a', 'b')).rejects.toMatchObject({ code: 'OBS_ARTEFACT_IO' })
    })

    test('an empty file is a file', async () => {
      const store = await open()
      await store.write('empty', text(''))
      expect(await contentOf(store, 'empty')).toBe('')
    })

    test('a file that is not there reads as null, and so does a folder or a path below a file', async () => {
      const store = await open()
      await store.write('ops/a.csv', text('a'))
      expect(await store.read('ops/b.csv')).toBeNull()
      expect(await store.read('nowhere/b.csv')).toBeNull()
      expect(await store.read('ops')).toBeNull()
      expect(await store.read('ops/a.csv/b')).toBeNull()
    })

    test('bytes changed after a write or a read do not change the file', async () => {
      const store = await open()
      const bytes = Buffer.from('abc')
      await store.write('a', bytes)
      bytes[0] = 0x78
      const read = await store.read('a')
      read![1] = 0x78
      expect(await contentOf(store, 'a')).toBe('abc')
    })

    test('removing a file makes it absent; removing what is not there, or a folder, does nothing', async () => {
      const store = await open()
      await store.write('ops/a.csv', text('a'))
      await store.remove('ops')
      await store.remove('ops/b.csv')
      await store.remove('nowhere/at/all')
      expect(await store.list('ops')).toEqual(['ops/a.csv'])
      await store.remove('ops/a.csv')
      expect(await store.read('ops/a.csv')).toBeNull()
    })

    test('a listing has every file below a folder, sorted, and no others', async () => {
      const store = await open()
      for (const path of ['ops/b', 'ops/a/2', 'ops/a/10', 'ops.csv', 'opsx/c', 'ops/ä'])
        await store.write(path, text(path))
      expect(await store.list('ops')).toEqual(['ops/a/10', 'ops/a/2', 'ops/b', 'ops/ä'])
      expect(await store.list('ops/a')).toEqual(['ops/a/10', 'ops/a/2'])
      expect(await store.list('nowhere')).toEqual([])
      expect(await store.list('ops/b')).toEqual([])
    })

    test('a file is never written where a folder is, nor below a file', async () => {
      const store = await open()
      await store.write('ops/a.csv', text('a'))
      await expect(store.write('ops', text('x'))).rejects.toMatchObject({
        code: 'OBS_ARTEFACT_CANNOT_CREATE',
        exitCode: 73,
      })
      await expect(store.write('ops/a.csv/b', text('x'))).rejects.toMatchObject({ code: 'OBS_ARTEFACT_CANNOT_CREATE' })
      expect(await store.list('ops')).toEqual(['ops/a.csv'])
      expect(await contentOf(store, 'ops/a.csv')).toBe('a')
    })

    test.each(['../x', 'ops/../../x', 'ops/..', '/etc/x', '', '.', './x', 'ops//x', 'ops/', 'a\0b', 'a\\b', '..'])(
      'the path %j is refused by every operation',
      async (path) => {
        const store = await open()
        const refusal = { code: 'OBS_ARTEFACT_CANNOT_CREATE' }
        await expect(store.write(path, text('x'))).rejects.toMatchObject(refusal)
        await expect(store.extend(path, text('x'))).rejects.toMatchObject(refusal)
        await expect(store.rename(path, 'x')).rejects.toMatchObject(refusal)
        await expect(store.rename('x', path)).rejects.toMatchObject(refusal)
        await expect(store.read(path)).rejects.toMatchObject(refusal)
        await expect(store.remove(path)).rejects.toMatchObject(refusal)
        await expect(store.list(path)).rejects.toMatchObject(refusal)
        await expect(inFolder(store, 'out').write(path, text('x'))).rejects.toMatchObject(refusal)
      },
    )

    test('many writes of one file at once leave one of them whole', async () => {
      const store = await open()
      const contents = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000))
      await Promise.all(contents.map((content) => store.write('ops/a', text(content))))
      expect(contents).toContain(await contentOf(store, 'ops/a'))
      expect(await store.list('ops')).toEqual(['ops/a'])
    })

    test('a view of a folder has that folder as its root', async () => {
      const store = await open()
      const view = inFolder(store, 'out/dry-run')
      await view.write('ops/a', text('a'))
      expect(await store.list('out')).toEqual(['out/dry-run/ops/a'])
      expect(await view.list('ops')).toEqual(['ops/a'])
      expect(await contentOf(view, 'ops/a')).toBe('a')
      await view.extend('ops/a', text('ab'))
      await view.rename('ops/a', 'ops/b')
      expect(await contentOf(store, 'out/dry-run/ops/b')).toBe('ab')
      await view.remove('ops/b')
      expect(await store.list('out')).toEqual([])
    })
  })
}
