import { ObstreamError } from '#lib/errors.ts'
import type { Matcher, MatchOp } from '#lib/facts.ts'
import { regexFault } from './matching.ts'

const OPERATORS: ReadonlyMap<string, MatchOp> = new Map([
  ['=', 'equal'],
  ['!=', 'not_equal'],
  ['=~', 'regex'],
  ['!~', 'not_regex'],
])
const signs = new Map([...OPERATORS].map(([sign, op]) => [op, sign]))

/** What people write who mean one of ours. */
const MISTAKEN: Readonly<Record<string, string>> = {
  '==': '=',
  '~': '=~',
  '~=': '=~',
  '!': '!=',
  '!==': '!=',
  '<>': '!=',
}

/** Longer text is refused before it is read. */
export const MAX_MATCHERS_CHARACTERS = 4096

/**
 * Reads matchers as Alertmanager writes them: `source=~"router.*", severity="critical"`. Several are separated by commas or
 * spaces; braces around all of them may stand or not. A value in double quotes holds anything, with `\"`, `\\` and `\n` as
 * escapes and any other backslash for itself; a bare value ends at a comma or space and holds no quotes, braces, `=`, `!`, `~`.
 *
 * Whatever is accepted means what Alertmanager's parser (`pkg/labels`) reads in it, but for spaces: there one ends no bare
 * value, so that `a=b c=d` is one matcher, and one behind the last brace makes that a part of the value. What Alertmanager
 * accepts and people take for something else (`a==b`, `{a=b}}`, `a='b'`) is refused.
 *
 * @returns at least one
 * @throws OBS_MATCHER_INVALID with place, value and what to write instead; for a regular expression that RE2 cannot read, too
 */
export function parseMatchers(text: string): readonly Matcher[] {
  return new Parser(text).read()
}

/** The form that `parseMatchers` and Alertmanager read back: `source=~"router.*", severity="critical"`. */
export function formatMatchers(matchers: readonly Matcher[]): string {
  return matchers.map(formatMatcher).join(', ')
}

function formatMatcher({ name, op, value }: Matcher): string {
  return `${name}${signs.get(op)}${quoted(value)}`
}

function quoted(value: string): string {
  return `"${value.replaceAll(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`
}

/** `\"`, `\\`, `\n`; any other backslash stands for itself. */
function unescaped(text: string): string {
  return text.replaceAll(/\\(["\\n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
}

const SPACE = /[\t\n\f\r ]*/y
const SPACE_OR_COMMA = /[\t\n\f\r ]*,?[\t\n\f\r ]*/y
const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
const SIGN = /[=!~<>]*/y
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y
const BARE = /[^\s,{}"'`=!~]*/y
/** What somebody meant as one value, for the advice to quote it. */
const MEANT = /[^\t\n\f\r ,]*/y

class Parser {
  readonly #text: string
  #at = 0
  #isBraced = false

  constructor(text: string) {
    this.#text = text
  }

  read(): readonly Matcher[] {
    const length = this.#text.length
    if (length > MAX_MATCHERS_CHARACTERS)
      throw invalid(`the matchers have ${length} characters; at most ${MAX_MATCHERS_CHARACTERS} are read`)
    this.#take(SPACE)
    this.#isBraced = this.#skip('{')
    this.#take(SPACE)
    const matchers: Matcher[] = []
    while (!this.#isAtEnd) {
      matchers.push(this.#matcher())
      this.#separator()
    }
    if (this.#isBraced) this.#closingBrace()
    if (matchers.length === 0) throw this.#fault('there is no matcher', 'write for example source=~"router.*"')
    return matchers
  }

  #matcher(): Matcher {
    const name = this.#name()
    this.#take(SPACE)
    const op = this.#operator(name)
    this.#take(SPACE)
    const valueAt = this.#at
    const value = this.#value(name, op)
    const fault = op === 'regex' || op === 'not_regex' ? regexFault(value) : undefined
    if (fault === undefined) return { name, op, value }
    this.#at = valueAt
    throw this.#fault(
      `${quoted(cut(value, 0))} is no regular expression that RE2 reads (${fault})`,
      'correct it; there are no lookarounds and no back references, and \\ before a character takes it as it is',
    )
  }

  #name(): string {
    const name = this.#take(NAME)
    if (name !== '') return name
    throw this.#fault('a label name should begin here', 'write for example source=~"router.*", severity="critical"')
  }

  #operator(name: string): MatchOp {
    const start = this.#at
    const sign = this.#take(SIGN)
    const op = OPERATORS.get(sign)
    if (op) return op
    this.#at = start
    const meant = MISTAKEN[sign]
    if (meant !== undefined) throw this.#fault(`${sign} is no operator`, `write ${name}${meant}"…"`)
    if (sign !== '')
      throw this.#fault(`${sign} is no operator`, 'write one of = != =~ !~, and a value with such signs in quotes')
    const rest = this.#take(MEANT)
    this.#at = start
    throw rest === ''
      ? this.#fault(`${name} has no operator`, `write ${name}="…", or quotes around a value with spaces or commas`)
      : this.#fault(
          `${name} is not followed by an operator`,
          'names hold letters, digits, _ and : only; then comes one of = != =~ !~',
        )
  }

  #value(name: string, op: MatchOp): string {
    const start = this.#at
    if (this.#text[start] === '"') return unescaped(this.#quotedValue(name, op))
    const bare = this.#take(BARE)
    if (this.#isAtEnd || /[\t\n\f\r ,]/.test(this.#text[this.#at]!)) return unescaped(bare)
    const at = this.#at
    this.#at = start
    const meant = this.#take(MEANT).replaceAll(/^['"`]|['"`]$/g, '')
    this.#at = at
    throw this.#fault(
      `${this.#text[at]} may not stand in a value without quotes`,
      `write ${formatMatcher({ name, op, value: meant })}`,
    )
  }

  #quotedValue(name: string, op: MatchOp): string {
    const start = this.#at
    const whole = this.#take(QUOTED)
    if (whole !== '') return whole.slice(1, -1)
    const meant = this.#text.slice(start + 1).replace(/[\\}\s]*$/, '')
    throw this.#fault('the quotes are not closed', `write ${formatMatcher({ name, op, value: unescaped(meant) })}`)
  }

  /** Between two matchers; after the last one a comma may stand. */
  #separator(): void {
    const start = this.#at
    this.#take(SPACE_OR_COMMA)
    if (this.#at > start || this.#isAtEnd) return
    throw this.#fault(
      'the value ends before this',
      'write a comma or a space between matchers, and \\" for a quote in a value',
    )
  }

  get #isAtEnd(): boolean {
    return this.#at === this.#text.length || (this.#isBraced && this.#text[this.#at] === '}')
  }

  #closingBrace(): void {
    if (!this.#skip('}')) throw this.#fault('the brace is not closed', 'write } at the end, or no braces at all')
    this.#take(SPACE)
    if (this.#at < this.#text.length)
      throw this.#fault('nothing may follow the closing brace', 'write all matchers between one pair of braces')
  }

  #skip(character: string): boolean {
    const isThere = this.#text[this.#at] === character
    if (isThere) this.#at++
    return isThere
  }

  /** What stands here, perhaps nothing; goes behind it. */
  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  #fault(problem: string, remedy: string): ObstreamError {
    const place = [...this.#text.slice(0, this.#at)].length + 1
    return invalid(`in the matchers \`${cut(this.#text, this.#at)}\`, character ${place}: ${problem}; ${remedy}`)
  }
}

const SHOWN_AROUND = 80

/** What of a long text lies around a place in it. */
function cut(text: string, at: number): string {
  const [from, to] = [Math.max(0, at - SHOWN_AROUND), at + SHOWN_AROUND]
  return `${from > 0 ? '…' : ''}${text.slice(from, to)}${to < text.length ? '…' : ''}`
}

function invalid(message: string): ObstreamError {
  return new ObstreamError('OBS_MATCHER_INVALID', message)
}
