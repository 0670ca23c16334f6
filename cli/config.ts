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
    .description('check both configuration files, and tell which rule judges which source and how soon it can fire')
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
  const { config, warnings } = session.loadConfig({ alertConfigPath: flags.alertConfig, sends: 'perhaps' })
  const coverage = coverageOf(config)
  if (session.terminal.json) session.terminal.summary({ status: 'ok', warnings, sources: coverage.map(asJson) })
  else printCoverage(session.terminal, coverage)
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
  for (const row of coverage)
    if (row.p95IsMax)
      terminal.warn(
        `${row.source}: with ${row.samplesPerWindow} samples a window (below 20) the p95 is the slowest sample; a shorter interval or a longer window judges fairer`,
      )
  terminal.note('the configuration is valid')
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
