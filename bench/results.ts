import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export { markdownTable } from '../tools/markdown.ts'

const RESULTS = fileURLToPath(new URL('results.md', import.meta.url))

const HEAD = `# Measured

Written by \`npm run bench\` and \`npm run faults\`; each rewrites its own sections. Numbers hold for the machine named
beside them and no other; ratios travel better.
`

/** Puts a section into \`bench/results.md\`, in the place of the one with the same title if there is one. */
export function writeSection(title: string, body: string): void {
  const text = existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8') : HEAD
  const [head = HEAD, ...sections] = text.split(/^(?=## )/m)
  const section = `## ${title}\n\n${body.trim()}\n`
  const at = sections.findIndex((other) => other.startsWith(`## ${title}\n`))
  if (at < 0) sections.push(section)
  else sections[at] = section
  writeFileSync(
    RESULTS,
    [head, ...sections]
      .map((part) => part.trimEnd())
      .join('\n\n')
      .concat('\n'),
  )
}

/** `1,234,567` */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** `3.21 M/s`, `45.6 k/s` or `78.9 /s`. */
export function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)} M/s`
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toFixed(1)} k/s`
  return `${perSecond.toFixed(1)} /s`
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
