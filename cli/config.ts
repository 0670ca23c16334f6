import type { Config } from '#lib/config.ts'
import type { Milliseconds } from '#lib/time.ts'
import { formatDuration, HOUR_MS, MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { alertConfigFlag } from './flags.ts'
import type { Program } from './program.ts'
import { examples } from './program.ts'
import type { RuleCoverage } from './rule-coverage.ts'
import { coverageOf } from './rule-coverage.ts'
import type { Session } from './session.ts'
import type { Terminal } from './terminal.ts'
import { table } from './terminal.ts'

/** `obstream config check`. */
export function configCommand(program: Program): void {
  const config = program.root
    .command('config')
    .description('look at the configuration')
    .addHelpText('after', examples(['obstream config check']))
  config
    .command('check')
    .description(
      'check both configuration files; tell which rule judges which source, how soon it can fire, and who would be told',
    )
    .addOption(alertConfigFlag())
    .addHelpText(
      'after',
      examples([
        'obstream config check',
        'obstream config check --json',
        'obstream config check --alert-config new.yaml',
      ]),
    )
    .action(program.action(checkConfig, (command) => [command.opts<CheckFlags>()]))
}

interface CheckFlags {
  readonly alertConfig: string
}

async function checkConfig(session: Session, flags: CheckFlags): Promise<undefined> {
  const { config, warnings } = session.loadConfig({
    alertConfigPath: flags.alertConfig,
    sends: 'perhaps',
    asksWhoIsTold: true,
  })
  const { terminal } = session
  const coverage = coverageOf(config)
  if (terminal.json) {
    const routes = { ...config.routes, fallback: config.delivery.fallback }
    terminal.summary({ status: 'ok', warnings, sources: coverage.map(asJson), routes })
    return
  }
  printCoverage(terminal, coverage)
  terminal.print('')
  for (const line of table([['route', 'tells'], ...routeRows(config)])) terminal.print(line)
  warnOfCoarseness(terminal, coverage)
  terminal.note('the configuration is valid')
}

function asJson(coverage: RuleCoverage): object {
  return {
    source: coverage.source,
    rule: coverage.ruleId,
    threshold_ms: coverage.thresholdMs,
    samples_per_window: coverage.samplesPerWindow,
    p95_is_max: coverage.p95IsMax,
    warning_after_ms: coverage.warning && {
      shortest: coverage.warning.shortestMs,
      longest: coverage.warning.longestMs,
    },
    critical_after_ms: coverage.critical && {
      shortest: coverage.critical.shortestMs,
      longest: coverage.critical.longestMs,
    },
  }
}

function printCoverage(terminal: Terminal, coverage: readonly RuleCoverage[]): void {
  const head = ['source', 'rule', 'threshold', 'samples/window', 'slow to warning', 'slow to critical']
  const rows = coverage.map((row) => [
    row.source,
    row.ruleId ?? '(none)',
    row.thresholdMs === null ? '' : `${row.thresholdMs} ms`,
    String(row.samplesPerWindow),
    span(row.warning),
    span(row.critical),
  ])
  for (const line of table([head, ...rows])) terminal.print(line)
}

/** Who is told of what; routes that nothing is told on yet only where they name somebody. */
function routeRows({ channels, routes, delivery }: Config): readonly (readonly string[])[] {
  const named = (names: readonly string[]): string =>
    names.map((name) => `${name} (${channels.find((channel) => channel.name === name)!.kind})`).join(', ')
  const { warning, critical, unacknowledged, owner, ...others } = routes
  const { fallback, fallbackAfter, ackWithinMs } = delivery
  return [
    ['warning', named(warning) || 'nobody'],
    ['critical', named(critical) || 'nobody'],
    [
      'unacknowledged',
      unacknowledged.length > 0 ? `${named(unacknowledged)} after ${formatDuration(ackWithinMs)}` : 'nobody',
    ],
    ['owner', named(owner) || (fallback === null ? 'as critical' : 'the fallback')],
    ...Object.entries(others).flatMap(([route, names]) => (names.length > 0 ? [[route, named(names)]] : [])),
    ['fallback', fallback === null ? 'nobody' : `${named([fallback])} after ${fallbackAfter} failed attempts`],
  ]
}

function warnOfCoarseness(terminal: Terminal, coverage: readonly RuleCoverage[]): void {
  for (const row of coverage)
    if (row.p95IsMax)
      terminal.warn(
        `${row.source}: with ${row.samplesPerWindow} samples a window (below 20) the p95 is the slowest sample; a shorter interval or a longer window judges fairer`,
      )
}

function span(range: RuleCoverage['warning']): string {
  return range === null ? '' : `${spoken(range.shortestMs)} to ${spoken(range.longestMs)}`
}

/** `1h 25m`: longer times in their two largest units. */
function spoken(ms: Milliseconds): string {
  const [large, small] = ms >= HOUR_MS ? [HOUR_MS, MINUTE_MS] : [MINUTE_MS, SECOND_MS]
  const whole = ms - (ms % large)
  const rest = (ms % large) - (ms % small)
  return (
    [whole, rest]
      .filter((part) => part > 0)
      .map(formatDuration)
      .join(' ') || formatDuration(ms)
  )
}
