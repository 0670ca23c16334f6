import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import fc from 'fast-check'
import { formatMatchers, parseMatchers } from '#lib/commands/matchers.ts'
import { compileMatchers, type Labels, regexFault } from '#lib/commands/matching.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { Matcher, MatchOp } from '#lib/facts.ts'
import { alertmanagerCases } from '#tests/lib/commands/alertmanager-cases.ts'
import { findProgram } from '#tests/support/find-program.ts'
import { testNeeding } from '#tests/support/required.ts'

/** Alertmanager's own program routes labels by matchers in a configuration; each route is a question. */
const amtool = findProgram('amtool')
const missing = amtool === undefined ? 'amtool (Debian: prometheus-alertmanager) is not on the PATH' : undefined
const MINUTE = 60_000

/** @returns for each text whether its matchers fit the labels; `undefined` when Alertmanager refuses the configuration */
function asThere(texts: readonly string[], labels: Labels): readonly boolean[] | undefined {
  const file = join(mkdtempSync(join(tmpdir(), 'obstream-amtool-')), 'alertmanager.yml')
  const receivers = ['none', ...texts.map((_, i) => `r${i}`)].map((name) => ({ name }))
  const routes = texts.map((text, i) => ({ receiver: `r${i}`, matchers: [text], continue: true }))
  writeFileSync(file, JSON.stringify({ route: { receiver: 'none', routes }, receivers }))
  const asked = Object.entries(labels).map(([name, value]) => formatMatchers([{ name, op: 'equal', value }]))
  const { status, stdout } = spawnSync(amtool!, ['config', 'routes', 'test', `--config.file=${file}`, ...asked], {
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  })
  if (status !== 0) return undefined
  const hit = new Set(stdout.trim().split(','))
  return texts.map((_, i) => hit.has(`r${i}`))
}

const SEED = 20_260_627

const words = fc.constantFrom('router_demo', 'router', 'gw', 'fx spot', '口座_α', 'a"b', 'c\\d', 'x,y={}', "it's", '😂')
const expressions = fc.oneof(
  words.filter((word) => regexFault(word) === undefined),
  fc.constantFrom(
    'router.*',
    '.*',
    '.+',
    'router|gw',
    '(?i)ROUTER',
    'r[a-z]+',
    '\\w+',
    '[^r].*',
    'x{0}',
    '(a|b)*"',
    '\\pL+_.',
  ),
  fc
    .array(fc.constantFrom('r', 'g', 'w', '.', '*', '?', '|', '(', ')', '[a-z]', '\\w', '$', '^', '_'), {
      maxLength: 6,
    })
    .map((parts) => parts.join(''))
    .filter((expression) => regexFault(expression) === undefined),
)
const matcher: fc.Arbitrary<Matcher> = fc
  .tuple(
    fc.constantFrom('source', 'severity', 'desk', 'absent'),
    fc.constantFrom<MatchOp>('equal', 'not_equal', 'regex', 'not_regex'),
  )
  .chain(([name, op]) => (op.endsWith('equal') ? words : expressions).map((value) => ({ name, op, value })))

testNeeding(
  missing,
  'matchers fit here exactly where they fit in Alertmanager, as they are written and with braces',
  () => {
    const lists = fc.sample(fc.array(matcher, { minLength: 1, maxLength: 3 }), { numRuns: 400, seed: SEED })
    const texts = lists.map((list, i) => (i % 2 === 0 ? formatMatchers(list) : `{ ${formatMatchers(list)} , }`))
    const alerts = fc.sample(fc.record({ source: words, severity: words, desk: words }), { numRuns: 25, seed: SEED })
    for (const labels of [...alerts, { source: 'router_demo' }]) {
      const here = texts.map((text) => compileMatchers(parseMatchers(text))(labels))
      const there = asThere(texts, labels)
      const differ = texts.filter((_, i) => here[i] !== there?.[i])
      expect({ labels, differ }).toEqual({ labels, differ: [] })
    }
  },
  MINUTE,
)

testNeeding(
  missing,
  'what a person may type and is accepted here is accepted there, with the same meaning',
  () => {
    const typed = fc
      .array(
        fc.constantFrom(
          'source',
          'desk',
          '=',
          '!=',
          '=~',
          '!~',
          'router',
          'gw',
          '.*',
          '"',
          '\\',
          '"router"',
          ' ',
          '{',
          '}',
          'n',
        ),
        {
          minLength: 3,
          maxLength: 8,
        },
      )
      .map((parts) => parts.join(''))
    const drawn = [...new Set(fc.sample(typed, { numRuns: 20_000, seed: SEED }))]
    /** Where spaces separate, and behind the last brace, ours is another language on purpose. */
    const accepted = [...drawn, ...alertmanagerCases.map(([text]) => text)].filter((text) => {
      const matchers = readHere(text.trim())
      return matchers?.length === 1 || (matchers !== undefined && text.includes(','))
    })
    const texts = accepted.map((text) => text.trim())
    expect(texts.length).toBeGreaterThan(100)
    for (const labels of [
      { source: 'router' },
      { desk: 'router', source: 'gw' },
      { source: 'n' },
      { desk: '\\', source: '\n' },
    ]) {
      const there = asThere(texts, labels)
      const differ = texts.filter((text, i) => compileMatchers(readHere(text)!)(labels) !== there?.[i])
      expect({ labels, differ }).toEqual({ labels, differ: [] })
    }
  },
  MINUTE,
)

testNeeding(
  missing,
  'regular expressions that RE2 does not read there are refused here, and the other way round',
  () => {
    const all = [
      'a(?=b)',
      '(?<=a)b',
      '(a)\\1',
      '[',
      '(',
      '*a',
      'a**',
      'a{1001}',
      '(a{1000}){1000}',
      '\\k',
      '(?P<n>a)',
      '\\pN',
      'a{2',
      '\\Qa.b\\E',
      '[[:alpha:]]',
      '(?s).',
      '\\z',
      '\\C',
    ]
    const here = all.filter((value) => regexFault(value) === undefined)
    const there = all.filter(
      (value) => asThere([formatMatchers([{ name: 'source', op: 'regex', value }])], {}) !== undefined,
    )
    expect(here).toEqual(there)
    expect(here.length).toBeGreaterThan(5)
  },
)

function readHere(text: string): readonly Matcher[] | undefined {
  try {
    return parseMatchers(text)
  } catch (error) {
    if (isObstreamError(error, 'OBS_MATCHER_INVALID')) return undefined
    throw error
  }
}
