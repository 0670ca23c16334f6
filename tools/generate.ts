import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { configPage } from './config-page.ts'
import { errorPage } from './error-page.ts'
import { messageExamples } from './message-examples.ts'
import { topicTable } from './topic-table.ts'

/** A file, or the part of one between two markers, that is written from the code. */
interface Generated {
  readonly path: string
  readonly content: (before: string) => string
}

const generated: readonly Generated[] = [
  { path: 'docs/errors.md', content: errorPage },
  { path: 'docs/config.md', content: configPage },
  { path: 'docs/notifications.md', content: (page) => between(page, 'messages', messageExamples()) },
  { path: 'README.md', content: (readme) => between(readme, 'topics', topicTable()) },
  { path: 'docs/notifications.md', content: (page) => between(page, 'receiver', code('examples/receiver.mjs')) },
]

/** A file, whole, as a block of code. */
function code(path: string): string {
  return `\`\`\`js\n${readFileSync(new URL(path, root), 'utf8').trim()}\n\`\`\``
}

/** Puts text between `<!-- name:begin … -->` and `<!-- name:end -->`. */
function between(text: string, name: string, content: string): string {
  const parts = new RegExp(`(<!-- ${name}:begin[^>]*-->)[\\s\\S]*?(<!-- ${name}:end -->)`)
  if (!parts.test(text)) throw new Error(`there are no markers <!-- ${name}:begin --> and <!-- ${name}:end -->`)
  return text.replace(parts, (_, begin: string, end: string) => `${begin}\n${content.trim()}\n${end}`)
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
const root = new URL('../', import.meta.url)
const stale: string[] = []
for (const { path, content } of generated) {
  const file = new URL(path, root)
  const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const after = content(before)
  if (before === after) continue
  stale.push(path)
  if (!values.check) writeFileSync(file, after)
}

if (stale.length === 0) console.log('every generated file is fresh')
else if (!values.check) console.log(`wrote ${stale.join(', ')}`)
else {
  console.error(`stale: ${stale.join(', ')}; run \`npm run generate\``)
  process.exitCode = 1
}
