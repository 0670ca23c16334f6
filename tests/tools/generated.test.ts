import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { CONFIG_SCHEMA_NAMES, type JsonSchema, readConfigSchema } from '#lib/runtime/config/schema.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What the generator needs, in a folder of its own. */
function copyOfProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'obstream-generated-'))
  for (const part of ['lib', 'services', 'tools', 'docs', 'examples', 'schemas', 'README.md', 'package.json'])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

function generate(
  folder: string,
  ...flags: readonly string[]
): { readonly status: number | null; readonly stderr: string } {
  return spawnSync(process.execPath, [join(folder, 'tools/generate.ts'), ...flags], { encoding: 'utf8' })
}

test('every generated file is fresh', () => {
  expect(generate(ROOT, '--check')).toMatchObject({ status: 0, stderr: '' })
})

test('a stale file is named and fails the check; generating mends it and touches nothing else', () => {
  const folder = copyOfProject()
  const readme = join(folder, 'README.md')
  const fresh = readFileSync(readme, 'utf8')
  writeFileSync(readme, `${fresh.replace('| `obs.window.v1` |', '| `obs.window.v2` |')}\nWritten by hand.\n`)
  expect(generate(folder, '--check')).toMatchObject({ status: 1, stderr: expect.stringContaining('README.md') })
  expect(generate(folder)).toMatchObject({ status: 0 })
  expect(readFileSync(readme, 'utf8')).toBe(`${fresh}\nWritten by hand.\n`)
})

test('a page that shows an example shows what is in its file', () => {
  const folder = copyOfProject()
  const example = join(folder, 'examples/receiver.mjs')
  writeFileSync(example, `${readFileSync(example, 'utf8')}// Changed, with $& in it.\n`)
  expect(generate(folder, '--check')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('stale: docs/notifications.md;'),
  })
  expect(generate(folder)).toMatchObject({ status: 0 })
  const page = readFileSync(join(folder, 'docs/notifications.md'), 'utf8')
  expect(page).toContain(`\`\`\`js\n${readFileSync(example, 'utf8')}\`\`\`\n`)
})

test.each(CONFIG_SCHEMA_NAMES)(
  'every key of %s has a description and an example, and a default unless it is required',
  (name) => {
    const root = readConfigSchema(name)
    const lacking: string[] = []
    const walk = (schema: JsonSchema, path: string): void => {
      for (const [key, property] of Object.entries(schema.properties ?? {})) {
        const place = `${path}.${key}`
        if (!property.description || property.examples === undefined) lacking.push(place)
        if (!('default' in property) && !schema.required?.includes(key)) lacking.push(`${place} (default)`)
        walk(property, place)
      }
    }
    walk(root, name)
    for (const [definition, schema] of Object.entries(root.$defs ?? {})) walk(schema, `${name}#${definition}`)
    expect(lacking).toEqual([])
  },
)
