import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'

/** The rules that hold the tree together. What Biome can see of them stands in biome.json, too, where an editor shows it. */
const ROOT = fileURLToPath(new URL('../', import.meta.url))

const FOLDERS = ['bench', 'bin', 'cli', 'examples', 'lib', 'services', 'tests', 'tools', 'web']

interface SourceFile {
  /** From the root, `/` between parts. */
  readonly path: string
  readonly text: string
  /** Code without comments, and without what stands in strings but for import specifiers. */
  readonly code: string
  /** Modules it imports, `#services/…` for those of other top folders; relative ones from the root. */
  readonly imports: readonly string[]
}

function sourceFiles(): readonly SourceFile[] {
  const paths = FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(ts|mjs)$/.test(path))
      .map((path) => `${folder}/${path}`),
  )
  return paths.toSorted().map(readSource)
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const withoutComments = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  const imports = [...withoutComments.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier]) =>
    specifier!.startsWith('.') ? join(path, '..', specifier!) : specifier!.replace(/^#/, ''),
  )
  const code = withoutComments.replaceAll(/'[^'\n]*'|`[^`]*`/g, "''")
  return { path, text, code, imports }
}

const files = sourceFiles()
const product = files.filter(({ path }) => /^(bin|cli|lib|services)\//.test(path))
const services = readdirSync(join(ROOT, 'services')).toSorted()

/** The files for which something is so, as a list to compare with the empty one. */
const those = (among: readonly SourceFile[], isSo: (file: SourceFile) => boolean): readonly string[] =>
  among.filter(isSo).map(({ path }) => path)

/** Imports that are not allowed, as `file → module`. */
const imports = (
  among: readonly SourceFile[],
  isBad: (module: string, file: SourceFile) => boolean,
): readonly string[] =>
  among.flatMap((file) =>
    file.imports.filter((module) => isBad(module, file)).map((module) => `${file.path} → ${module}`),
  )

const isIn = (folder: string) => (module: string) => module === folder || module.startsWith(`${folder}/`)

describe('a service', () => {
  test.each(services)('%s has a page, its wiring, and nothing but folders that are known', (service) => {
    const entries = readdirSync(join(ROOT, 'services', service))
    expect(entries).toEqual(expect.arrayContaining(['README.md', 'service.ts']))
    const known = service === 'alerter' ? ['courier', 'messages'] : ['adapters']
    expect(entries.filter((entry) => !/\.(ts|md)$/.test(entry) && !known.includes(entry))).toEqual([])
  })

  test.each(services)('%s tells on one screen what it reads and writes and what happens when it fails', (service) => {
    const readme = join(ROOT, 'services', service, 'README.md')
    const page = existsSync(readme) ? readFileSync(readme, 'utf8') : ''
    expect(page).toMatch(/^# /)
    expect(page.toLowerCase()).toEqual(expect.stringContaining('reads'))
    expect(page.toLowerCase()).toEqual(expect.stringContaining('writes'))
    expect(page.toLowerCase()).toMatch(/fail/)
    expect(page.split('\n').length).toBeLessThanOrEqual(60)
  })

  test('is composed in main.ts, in at most 60 lines', () => {
    const mains = product.filter(({ path }) => /^services\/[^/]+\/main\.ts$/.test(path))
    expect(those(mains, ({ text }) => text.split('\n').length > 60)).toEqual([])
  })

  test('is named as its folder', () => {
    for (const service of services) {
      const { code, text } = readSource(`services/${service}/service.ts`)
      if (code.includes('defineService')) expect(text).toContain(`name: '${service}'`)
    }
  })
})

describe('a fold', () => {
  /** Concepts: no wiring, no edge. The sampler's edge gets a clock and a log handed in; it is not a fold. */
  const concepts = product.filter(
    ({ path }) => path.startsWith('services/') && !path.includes('/adapters/') && !path.endsWith('/main.ts'),
  )
  const effects = [
    'Date\\.now',
    'new Date\\(\\)',
    'Math\\.random',
    'performance\\.',
    'process\\.',
    'crypto\\.random',
    'randomUUID',
  ]
  const timers = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch\\(']

  test('and all that stands beside it knows no clock, chance, timer or process', () => {
    const impure = new RegExp(`\\b(${[...effects, ...timers].join('|')})`)
    expect(those(concepts, ({ code }) => impure.test(code))).toEqual([])
  })

  test('knows no file, network, thread or process module', () => {
    const effects =
      /^(node:)?(fs|net|http|https|http2|dns|tls|dgram|child_process|worker_threads|timers|perf_hooks|os|process|sqlite)(\/|$)/
    expect(imports(concepts, (module) => effects.test(module))).toEqual([])
  })

  test('depends on neither time zone nor locale', () => {
    const local =
      /\.(toLocale\w*|getHours|getDay|getDate|getMonth|getFullYear|getMinutes|getTimezoneOffset|toDateString|toTimeString)\(|\bIntl\.|localeCompare/
    const folds = product.filter(({ path }) => /^(services|lib)\//.test(path))
    expect(those(folds, ({ code }) => local.test(code))).toEqual([])
  })

  test('of rollup and alerter reaches no log, only types and bytes of one: the runtime reads and writes for it', () => {
    const isEdge = (path: string): boolean =>
      /^services\/alerter\/courier\//.test(path) && !/\/(service|episode-book|decide)\.ts$/.test(path)
    const folds = concepts.filter(({ path }) => /^services\/(rollup|alerter)\//.test(path) && !isEdge(path))
    const isLog = (module: string): boolean => /^lib\/(eventlog|registry|artefacts|jobs)\//.test(module)
    const isBytes = (module: string): boolean => /^lib\/eventlog\/(port|record-[a-z]+|varint)\.ts$/.test(module)
    expect(imports(folds, (module) => isLog(module) && !isBytes(module))).toEqual([])
  })
})

describe('imports go one way', () => {
  const from = (folder: string): readonly SourceFile[] => product.filter(({ path }) => path.startsWith(`${folder}/`))

  test('lib imports no service and no command', () => {
    expect(imports(from('lib'), (module) => /^(services|cli|bin|tools|tests|bench|examples)\//.test(module))).toEqual(
      [],
    )
  })

  test('services import lib and themselves, never each other or a command', () => {
    const isForeign = (module: string, { path }: SourceFile): boolean => {
      const [, own] = path.split('/')
      return /^(services|cli|bin|tools|tests|bench|examples)\//.test(module) && !isIn(`services/${own}`)(module)
    }
    expect(imports(from('services'), isForeign)).toEqual([])
  })

  test('commands import no tests and no tools; examples only the demo', () => {
    const isForeign = (module: string): boolean =>
      /^(tools|tests|bench)\//.test(module) || (isIn('examples')(module) && !isIn('examples/router-demo')(module))
    expect(imports(from('cli'), isForeign)).toEqual([])
  })
})

describe('a replay', () => {
  /** Everything that a file imports, and what that imports, and so on. */
  function reached(from: readonly string[]): ReadonlySet<string> {
    const seen = new Set<string>()
    const waiting = [...from]
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (seen.has(path)) continue
      seen.add(path)
      waiting.push(...(files.find((file) => file.path === path)?.imports ?? []))
    }
    return seen
  }

  test('reaches no way to a receiver, over however many imports', () => {
    const replay = files.filter(({ path }) => /^cli\/(replay\/|actions\/replay)/.test(path)).map(({ path }) => path)
    expect(replay.length).toBeGreaterThan(3)
    expect([...reached(replay)]).toContain('services/alerter/service.ts')
    expect(
      [...reached(replay)].filter((module) => /^(undici|lib\/delivery\/(http-post|senders|outlets)\.ts)$/.test(module)),
    ).toEqual([])
    expect([...reached(['services/alerter/main.ts'])]).toContain('lib/delivery/http-post.ts')
  })
})

describe('a technology stays where it belongs', () => {
  const only = (module: RegExp, allowed: RegExp) =>
    imports(product, (name, { path }) => module.test(name) && !allowed.test(path))

  test('node:sqlite in the embedded log', () => {
    expect(only(/^node:sqlite$/, /^lib\/eventlog\/(sqlite[^/]*|file-lock)\.ts$/)).toEqual([])
  })

  test('undici in the probes and the deliveries', () => {
    expect(only(/^undici$/, /^(services\/sampler\/adapters\/|lib\/delivery\/http-post\.ts$)/)).toEqual([])
  })

  test('kafkajs and its registry in the Kafka adapters', () => {
    expect(only(/kafkajs/, /^lib\/(eventlog\/kafka|registry)\//)).toEqual([])
  })

  test('commander, progress bars and terminals in the command line', () => {
    expect(only(/^(commander|cli-progress)$/, /^cli\//)).toEqual([])
  })

  test('regular expressions that people give us in the matchers', () => {
    expect(only(/^re2js$/, /^lib\/commands\/matching\.ts$/)).toEqual([])
  })

  test('moment-timezone where times of other zones are reckoned', () => {
    expect(only(/^moment/, /^lib\/(calendar|local-time)\.ts$/)).toEqual([])
  })

  test('the process in commands and in the runtime; of lib, only what names files and sees the operating system', () => {
    const allowed =
      /^(cli|bin)\/|^lib\/runtime\/|^lib\/artefacts\/temporary-names\.ts$|^lib\/eventlog\/file-system\.ts$/
    expect(those(product, ({ path, code }) => /\bprocess\./.test(code) && !allowed.test(path))).toEqual([])
  })

  test('wall clock and chance in lib/runtime only; of commands, jitter', () => {
    const wild = /\b(Date\.now|new Date\(\)|Math\.random|randomUUID)/
    const allowed = /^lib\/runtime\/(clock|ids)\.ts$/
    const found = those(product, ({ path, code }) => wild.test(code) && !allowed.test(path))
    expect(found.filter((path) => path !== 'cli/actions/latency.ts')).toEqual([])
  })
})

describe('every file', () => {
  test('of the product has at most 300 lines', () => {
    expect(those(product, ({ text }) => text.split('\n').length > 301)).toEqual([])
  })

  test('has nothing left to do, nothing switched off and no default export', () => {
    const leftovers = /\b(TODO|FIXME|XXX|HACK)\b|biome-ignore|@ts-(ignore|expect-error|nocheck)|\bexport default\b/
    /** What Jest loads by name. */
    const isConfig = (path: string): boolean =>
      path.endsWith('.config.mjs') || /^tests\/support\/(strip-types\.mjs|kafka\/global-[a-z]+\.ts)$/.test(path)
    expect(
      those(
        files,
        ({ path, text }) => path !== 'tests/architecture.test.ts' && !isConfig(path) && leftovers.test(text),
      ),
    ).toEqual([])
  })

  test('of the product says no `any`, and nothing waits for a test', () => {
    expect(those(product, ({ code }) => /[:<]\s*any\b|\bas any\b|NODE_ENV|JEST_WORKER_ID/.test(code))).toEqual([])
  })

  test('is named for what is in it', () => {
    expect(those(product, ({ path }) => /(^|\/)(utils?|helpers?|managers?|common|misc)(\.ts|\/)/.test(path))).toEqual(
      [],
    )
  })

  test('of the tests mirrors the tree, or has a place of its own', () => {
    const own =
      /^tests\/(architecture\.test\.ts|contract|e2e|examples|kafka|peers|replay|support|tools|services\/exactly-once\.test\.ts)/
    const lost = those(files, ({ path }) => {
      if (!path.startsWith('tests/') || !path.endsWith('.test.ts') || own.test(path)) return false
      const folder = path.split('/').slice(1, -1).join('/')
      return !existsSync(join(ROOT, folder))
    })
    expect(lost).toEqual([])
  })
})
