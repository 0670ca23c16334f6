import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import type { Document, Node, Pair } from 'yaml'
import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import type { ConfigFault } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import { shownLine } from '../config-faults.ts'

/** Keys and indices from the root: `['rules', 0, 'threshold_ms']`. */
export type YamlPath = readonly (string | number)[]

export interface Place {
  readonly line: number
  readonly column: number
}

/** One YAML file, read strictly, that still knows where everything stands. */
export interface YamlFile {
  readonly path: string
  /** Plain data; `{}` for a file without content. */
  readonly value: unknown
  /** Empty when the file may be used. */
  readonly faults: readonly ConfigFault[]
  /** Where a value stands, or its key; for what the file does not hold, the nearest thing around it. */
  place(path: YamlPath, of: 'key' | 'value'): Place
  /** Whether the file itself says it, as against a default. */
  has(path: YamlPath): boolean
}

const MAX_BYTES = 1_048_576
/** Aliases after expansion: enough to share a few labels, far too few for a bomb. */
const MAX_ALIASES = 100

/**
 * Reads UTF-8 YAML 1.2 of at most 1 MiB: one document, each key once, no `__proto__`, no unknown tags.
 *
 * Faults of the text are values, all that can be told at once.
 *
 * @throws OBS_CONFIG_NOT_FOUND when there is no such file, OBS_INPUT_MISSING when it cannot be read
 */
export function readYamlFile(path: string): YamlFile {
  const bytes = readBytes(path)
  if ('fault' in bytes) return unusable(path, bytes.fault)
  return parseYaml(path, bytes.text)
}

type ReadBytes = { readonly text: string } | { readonly fault: ConfigFault }

function readBytes(path: string): ReadBytes {
  const fault = (line: number, column: number, value: string, message: string): ReadBytes => ({
    fault: { file: path, line, column, key: '', value, message },
  })
  try {
    const found = statSync(path)
    if (!found.isFile()) return fault(1, 1, '', 'this is not a file; write the path of a YAML file')
    if (found.size > MAX_BYTES)
      return fault(
        1,
        1,
        `${found.size} bytes`,
        `a configuration file has at most ${MAX_BYTES} bytes; this is something else, or must be cut down`,
      )
    const bytes = readFileSync(path)
    const bad = firstBadByte(bytes)
    if (bad === undefined) return { text: new TextDecoder().decode(bytes) }
    return fault(
      bad.line,
      bad.column,
      `byte 0x${bad.byte.toString(16).padStart(2, '0')}`,
      'this is not UTF-8; save the file as UTF-8',
    )
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new ObstreamError(
        'OBS_CONFIG_NOT_FOUND',
        `there is no configuration file ${path}; \`obstream init\` writes a commented one`,
        { cause: error },
      )
    throw new ObstreamError('OBS_INPUT_MISSING', `cannot read ${path}: ${code}; check its permissions`, {
      cause: error,
    })
  }
}

function firstBadByte(bytes: Buffer): (Place & { readonly byte: number }) | undefined {
  const bad = [bytes.indexOf(0), firstInvalid(bytes)].filter((offset) => offset >= 0)
  if (bad.length === 0) return undefined
  const offset = Math.min(...bad)
  const before = bytes.subarray(0, offset).toString('latin1').split('\n')
  return { line: before.length, column: before.at(-1)!.length + 1, byte: bytes[offset]! }
}

/** Offset of the first sequence that is no UTF-8; -1 when all is well. Found by halving. */
function firstInvalid(bytes: Buffer): number {
  if (isUtf8(bytes)) return -1
  let valid = 0
  let invalid = bytes.length
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1
    if (isUtf8ButForItsEnd(bytes.subarray(0, middle))) valid = middle
    else invalid = middle
  }
  // A sequence that breaks off begins up to three bytes earlier.
  const start = [0, 1, 2, 3].find((back) => isUtf8(bytes.subarray(0, valid - back))) ?? 0
  return valid - start
}

/** Valid, at most the last three bytes left out: they may be the beginning of a character. */
function isUtf8ButForItsEnd(bytes: Buffer): boolean {
  return [0, 1, 2, 3].some((back) => back <= bytes.length && isUtf8(bytes.subarray(0, bytes.length - back)))
}

function parseYaml(path: string, text: string): YamlFile {
  const lines = new LineCounter()
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  let document: Document.Parsed
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      version: '1.2',
      strict: true,
      logLevel: 'error',
    })
  } catch {
    return unusable(path, { file: path, line: 1, column: 1, key: '', value: '', message: TOO_DEEP })
  }
  const faults = [...textFaults(path, text, document, at), ...nodeFaults(path, document, at)]
  const value = faults.length === 0 ? plainData(path, document, at, faults) : {}
  return {
    path,
    value,
    faults,
    place: (wanted, of) => at(offsetOf(document, wanted, of)),
    has: (wanted) => find(document, wanted).length === wanted.length,
  }
}

const TOO_DEEP = 'this is nested too deeply to be a configuration'

/** What to write instead, by the parser's code. */
const REMEDIES: Readonly<Record<string, string>> = {
  RESOURCE_EXHAUSTION: TOO_DEEP,
  TAB_AS_INDENT: 'a tab stands in the indentation; write spaces',
  DUPLICATE_KEY: 'this key is there twice; remove one',
  MISSING_CHAR: 'the text ends too early; close the quote or the bracket',
  BAD_INDENT: 'the indentation is wrong, or a bracket is not closed; indent by two spaces and close it',
  MULTIPLE_DOCS: 'the file holds more than one document; remove `---` and what follows',
  TAG_RESOLVE_FAILED: 'tags (`!…`) have no meaning here; remove it',
  BLOCK_AS_IMPLICIT_KEY:
    'a key stands where a value is expected; put the text in quotes, or the key on a line of its own',
}

type At = (offset: number) => Place

function textFaults(path: string, text: string, document: Document.Parsed, at: At): ConfigFault[] {
  const lines = text.split('\n')
  return [...document.errors, ...document.warnings].map((error) => {
    const place = at(error.pos[0])
    const message = REMEDIES[error.code] ?? `this is not YAML (${error.message}); correct the line`
    const line = lines[place.line - 1] ?? ''
    return { file: path, ...place, key: keyOfLine(line), value: shownLine(line), message }
  })
}

function keyOfLine(line: string): string {
  return /^[\s\-{]*([\p{L}\p{N}_.-]+)\s*:/u.exec(line)?.[1] ?? ''
}

const FORBIDDEN_KEYS: ReadonlySet<unknown> = new Set(['__proto__', 'constructor', 'prototype'])

function nodeFaults(path: string, document: Document.Parsed, at: At): ConfigFault[] {
  const faults: ConfigFault[] = []
  const add = (node: unknown, key: string, message: string): void => {
    faults.push({ file: path, ...at((node as Node).range?.[0] ?? 0), key, value: '', message })
  }
  if (document.directives?.yaml.explicit && document.directives.yaml.version !== '1.2')
    add(document.contents, '%YAML', 'only YAML 1.2 is read; remove the line that begins with `%YAML`')
  visit(document, {
    Pair(_, pair: Pair) {
      if (!isScalar(pair.key) || typeof pair.key.value !== 'string')
        return add(pair.key, String(pair.key), 'a key is a plain word; put it in quotes if it is meant so')
      if (FORBIDDEN_KEYS.has(pair.key.value)) add(pair.key, pair.key.value, 'this key is never allowed; remove it')
    },
    Alias(_, alias) {
      if (alias.resolve(document) === undefined)
        add(alias, `*${alias.source}`, `there is no anchor \`&${alias.source}\` above; write the value itself`)
    },
  })
  return faults
}

function plainData(path: string, document: Document.Parsed, at: At, faults: ConfigFault[]): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {}
  } catch {
    let offset = 0
    visit(document, {
      Alias(_, alias) {
        offset = alias.range?.[0] ?? 0
        return visit.BREAK
      },
    })
    faults.push({
      file: path,
      ...at(offset),
      key: '',
      value: '',
      message: `aliases (\`*name\`) may stand for at most ${MAX_ALIASES} values in all; write the values out`,
    })
    return {}
  }
}

/** The pairs and items that lie on a path, as far as the file has them. */
function find(document: Document.Parsed, path: YamlPath): (Pair | Node)[] {
  const found: (Pair | Node)[] = []
  let node: unknown = document.contents
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document)
    const next: unknown = isMap(node)
      ? node.items.find((pair) => isScalar(pair.key) && pair.key.value === part)
      : isSeq(node)
        ? node.items[part as number]
        : undefined
    if (next === undefined) break
    found.push(next as Pair | Node)
    node = isPair(next) ? next.value : next
  }
  return found
}

function offsetOf(document: Document.Parsed, path: YamlPath, of: 'key' | 'value'): number {
  const found = find(document, path)
  const last = found.at(-1)
  if (last === undefined) return (document.contents as Node | null)?.range?.[0] ?? 0
  if (!isPair(last)) return last.range?.[0] ?? 0
  const key = (last.key as Node).range?.[0] ?? 0
  if (of === 'key' || found.length < path.length) return key
  return (last.value as Node | null)?.range?.[0] ?? key
}

function unusable(path: string, fault: ConfigFault): YamlFile {
  return { path, value: {}, faults: [fault], place: () => fault, has: () => false }
}
