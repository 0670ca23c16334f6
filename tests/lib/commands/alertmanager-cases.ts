import type { Matcher, MatchOp } from '#lib/facts.ts'

const m = (name: string, op: MatchOp, value: string): Matcher => ({ name, op, value })

/**
 * The cases of `TestMatchers` in Alertmanager's `pkg/labels/parse_test.go` (commit 68fb2d5759b3): text, and what it is read as
 * there; `null`: it is refused.
 */
export const alertmanagerCases: readonly (readonly [text: string, matchers: readonly Matcher[] | null])[] = [
  ['{}', []],
  [',', null],
  ['{,}', null],
  ["{foo='}", [m('foo', 'equal', "'")]],
  ['{foo=`}', [m('foo', 'equal', '`')]],
  ['{foo=\\"}', [m('foo', 'equal', '"')]],
  ['{foo=bar}', [m('foo', 'equal', 'bar')]],
  ['{foo="bar"}', [m('foo', 'equal', 'bar')]],
  ['{foo=~bar.*}', [m('foo', 'regex', 'bar.*')]],
  ['{foo=~"bar.*"}', [m('foo', 'regex', 'bar.*')]],
  ['{foo!=bar}', [m('foo', 'not_equal', 'bar')]],
  ['{foo!="bar"}', [m('foo', 'not_equal', 'bar')]],
  ['{foo!~bar.*}', [m('foo', 'not_regex', 'bar.*')]],
  ['{foo!~"bar.*"}', [m('foo', 'not_regex', 'bar.*')]],
  ['{foo="bar", baz!="quux"}', [m('foo', 'equal', 'bar'), m('baz', 'not_equal', 'quux')]],
  ['{foo="bar", baz!~"quux.*"}', [m('foo', 'equal', 'bar'), m('baz', 'not_regex', 'quux.*')]],
  [
    '{foo="bar",baz!~".*quux", derp="wat"}',
    [m('foo', 'equal', 'bar'), m('baz', 'not_regex', '.*quux'), m('derp', 'equal', 'wat')],
  ],
  [
    '{foo="bar", baz!="quux", derp="wat"}',
    [m('foo', 'equal', 'bar'), m('baz', 'not_equal', 'quux'), m('derp', 'equal', 'wat')],
  ],
  [
    '{foo="bar", baz!~".*quux.*", derp="wat"}',
    [m('foo', 'equal', 'bar'), m('baz', 'not_regex', '.*quux.*'), m('derp', 'equal', 'wat')],
  ],
  ['{foo="bar", instance=~"some-api.*"}', [m('foo', 'equal', 'bar'), m('instance', 'regex', 'some-api.*')]],
  ['{foo=""}', [m('foo', 'equal', '')]],
  ['{foo="bar,quux", job="job1"}', [m('foo', 'equal', 'bar,quux'), m('job', 'equal', 'job1')]],
  ['{foo = "bar", dings != "bums", }', [m('foo', 'equal', 'bar'), m('dings', 'not_equal', 'bums')]],
  ['foo=bar,dings!=bums', [m('foo', 'equal', 'bar'), m('dings', 'not_equal', 'bums')]],
  [
    '{quote="She said: \\"Hi, ladies! That\'s gender-neutral…\\""}',
    [m('quote', 'equal', 'She said: "Hi, ladies! That\'s gender-neutral…"')],
  ],
  ['statuscode=~"5.."', [m('statuscode', 'regex', '5..')]],
  ['tricky=~~~', [m('tricky', 'regex', '~~')]],
  ['trickier==\\\\=\\=\\"', [m('trickier', 'equal', '=\\=\\="')]],
  [
    'contains_quote != "\\"" , contains_comma !~ "foo,bar" , ',
    [m('contains_quote', 'not_equal', '"'), m('contains_comma', 'not_regex', 'foo,bar')],
  ],
  ['{foo=bar}}', [m('foo', 'equal', 'bar}')]],
  ['{foo=bar}},}', [m('foo', 'equal', 'bar}}')]],
  ['{foo=,bar=}}', [m('foo', 'equal', ''), m('bar', 'equal', '}')]],
  ['{foo=bar\\t}', [m('foo', 'equal', 'bar\\t')]],
  ['{foo=bar\\n}', [m('foo', 'equal', 'bar\n')]],
  ['{foo=bar\\}', [m('foo', 'equal', 'bar\\')]],
  ['{foo=bar\\\\}', [m('foo', 'equal', 'bar\\')]],
  ['{foo=bar\\"}', [m('foo', 'equal', 'bar"')]],
  ['job=', [m('job', 'equal', '')]],
  ['job="value', null],
  ['job=value"', null],
  ['trickier==\\\\=\\=\\""', null],
  ['contains_unescaped_quote = foo"bar', null],
  ['{invalid-name = "valid label"}', null],
  ['{foo=~"invalid[regexp"}', null],
  ['"{foo=\\"bar"}', null],
  ['"foo=\\"bar"', null],
  ['"foo=\\"bar\\""', null],
  ['"foo=\\"bar\\"', null],
  ['"{foo=\\"bar\\"}"', null],
  ['"foo="bar""', null],
  ['{{foo=', null],
  ['{foo=', [m('foo', 'equal', '')]],
  ['{foo=}b', [m('foo', 'equal', '}b')]],
]
