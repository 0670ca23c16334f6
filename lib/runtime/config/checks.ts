import { join, relative } from 'node:path'
import type { ConfigFault } from '#lib/config.ts'
import { matches } from '#lib/plan.ts'
import { DAY_MS, formatDuration, parseDuration } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { shownValue } from '../config-faults.ts'
import type { EnvironmentVariables } from '../secrets.ts'
import { readSecret, secretProblem } from '../secrets.ts'
import { checkAllowedHosts, checkChannels, type Sends } from './channels.ts'
import { formatKey } from './fit.ts'
import { parseBind } from './formats.ts'
import { checkKafka, isKafka } from './kafka.ts'
import { absolutePath } from './paths.ts'
import type { RawAlertConfig, RawConfig, RawRule, RawSource } from './raw.ts'
import { checkRegistry } from './registry.ts'
import { checkRoutes, noSuchChannel, warnOfUntold, warnOfUnusedChannels } from './routes.ts'
import type { YamlFile, YamlPath } from './yaml-file.ts'

/** Files that fit their schemas, and what else a check needs to know. */
export interface Checked {
  readonly dataDir: string
  readonly env: EnvironmentVariables
  readonly mainFile: YamlFile
  readonly alertFile: YamlFile
  /** With the places of log and registry as flags say them. */
  readonly main: RawConfig
  readonly alert: RawAlertConfig
  /** Whether notifications will be sent: then the channels in use, or those of the list, must be fit for it. */
  readonly sends: Sends
  /** Whether alerts that nobody would hear of are hardly meant. */
  readonly asksWhoIsTold: boolean
}

/** Between the end of a file's life and that of its records: time to notice, and to replay. */
const SPARE_DAYS = 7

type Report = (path: YamlPath, value: unknown, message: string) => void

/** What no schema can say: how keys must fit one another. Both files. */
export function findFaults(checked: Checked): ConfigFault[] {
  const faults: ConfigFault[] = []
  const inMain = reporter(checked.mainFile, faults)
  checkWindow(checked.main, inMain)
  checkIds(checked.main.sources, 'sources', inMain)
  for (const [index, source] of checked.main.sources.entries()) checkSource(checked, source, ['sources', index], inMain)
  checkRoutes(checked.main, inMain)
  checkChannels(checked, inMain)
  checkRollupOutput(checked.main, inMain)
  checkBind(checked, inMain)
  if (isKafka(checked.main.log)) {
    checkKafka(checked.main.kafka, checked, inMain)
    checkRegistry(checked.main.registry, checked, inMain)
  }
  const inAlert = reporter(checked.alertFile, faults)
  checkIds(checked.alert.rules, 'rules', inAlert)
  checkRules(checked, inAlert)
  checkAllowedHosts(checked.alert, inAlert)
  return faults
}

/** What is allowed and yet hardly meant. */
export function findWarnings(checked: Checked): ConfigFault[] {
  const warnings: ConfigFault[] = []
  const inMain = reporter(checked.mainFile, warnings)
  const { sources } = checked.main
  if (sources.length === 0) inMain(['sources'], undefined, 'nothing is sampled; add a source')
  for (const [index, source] of sources.entries()) warnOfSource(checked, source, ['sources', index], inMain)
  warnOfRetention(checked.main, inMain)
  warnOfRules(checked, reporter(checked.alertFile, warnings))
  if (checked.asksWhoIsTold) {
    warnOfUntold({ ...checked, saysMain: checked.mainFile.has, saysAlert: checked.alertFile.has }, inMain)
    warnOfUnusedChannels(checked, inMain)
  }
  return warnings
}

function reporter(file: YamlFile, faults: ConfigFault[]): Report {
  return (path, value, message) => {
    const { line, column } = file.place(path, 'value')
    const key = formatKey(path)
    faults.push({ file: file.path, line, column, key, value: shownValue(key, value), message })
  }
}

const ms = (text: string): number => parseDuration(text)!

function checkWindow({ window }: RawConfig, report: Report): void {
  if (DAY_MS % ms(window.length) !== 0)
    report(
      ['window', 'length'],
      window.length,
      'windows are aligned to UTC days, so the length must divide 24h; write e.g. 15m, 1h or 4h',
    )
  if (ms(window.grace) >= ms(window.length))
    report(
      ['window', 'grace'],
      window.grace,
      `must be shorter than the window (${window.length}); write e.g. ${formatDuration(Math.max(Math.floor(ms(window.length) / 6000), 1) * 1000)}`,
    )
  if (ms(window.lateness) < ms(window.grace))
    report(['window', 'lateness'], window.lateness, `must be at least the grace (${window.grace}); write e.g. 14d`)
}

function checkIds(entries: readonly { readonly id: string }[], list: 'sources' | 'rules', report: Report): void {
  const first = new Map<string, number>()
  for (const [index, { id }] of entries.entries()) {
    const normal = id.normalize('NFC')
    const earlier = first.get(normal)
    if (earlier === undefined) first.set(normal, index)
    else report([list, index, 'id'], id, `${list}[${earlier}] has this id already; choose another`)
  }
}

function checkSource(checked: Checked, source: RawSource, path: YamlPath, report: Report): void {
  const { window } = checked.main
  if (source.id.startsWith('job.'))
    report([...path, 'id'], source.id, 'names that begin with `job.` belong to our own jobs; choose another')
  if (ms(source.interval) > ms(window.length))
    report(
      [...path, 'interval'],
      source.interval,
      `some windows (${window.length}) would expect no sample at all; write at most ${window.length}, or a longer window`,
    )
  if (ms(source.phase) >= ms(source.interval))
    report([...path, 'phase'], source.phase, `must be shorter than the interval (${source.interval})`)
  if (source.kind === 'csv') checkCsvPath(checked, source.path, [...path, 'path'], report)
  else checkHeaders(checked.env, source, path, report)
}

/** What obstream writes itself; reading it as a source would feed it its own output. */
function ownFiles({ jobs }: RawConfig): readonly string[] {
  return ['ops/signal_latency.csv', jobs.latency.rollup_output, 'ops/signal_latency_rollup.csv']
}

const OWN_FOLDER = 'ops/signal_latency_archive/'

function checkCsvPath({ dataDir, main }: Checked, text: string, path: YamlPath, report: Report): void {
  const inside = relative(dataDir, absolutePath(dataDir, text))
  if (ownFiles(main).some((own) => join(own) === inside) || inside.startsWith(OWN_FOLDER))
    report(path, text, 'obstream writes this file itself; name the file that the trading system appends to')
}

const SECRET_HEADERS: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-api-key'])

function checkHeaders(
  env: EnvironmentVariables,
  source: Extract<RawSource, { kind: 'http' }>,
  path: YamlPath,
  report: Report,
): void {
  for (const name of Object.keys(source.headers))
    if (SECRET_HEADERS.has(name.toLowerCase()))
      report(
        [...path, 'headers', name],
        undefined,
        `a secret does not belong in a file; write \`headers_env: {${name}: NAME_OF_A_VARIABLE}\``,
      )
  for (const [name, variable] of Object.entries(source.headers_env)) {
    const problem = headerProblem(env, variable)
    if (problem) report([...path, 'headers_env', name], undefined, problem)
  }
}

function headerProblem(env: EnvironmentVariables, variable: string): string | undefined {
  const problem = secretProblem(env, variable)
  if (problem !== undefined || /^[\t\x20-\x7e]*$/.test(readSecret(env, variable)!)) return problem
  return `the value of ${variable} cannot be a header: it has line ends or characters beyond ASCII`
}

function checkRollupOutput({ jobs }: RawConfig, report: Report): void {
  const path = jobs.latency.rollup_output
  if (join(path) === 'ops/signal_latency.csv' || join(path).startsWith(OWN_FOLDER))
    report(
      ['jobs', 'latency', 'rollup_output'],
      path,
      'another of our files stands there; write e.g. ops/signal_latency_rollup.csv',
    )
}

function checkBind({ main, env }: Checked, report: Report): void {
  const { host } = parseBind(main.page.bind)!
  if (isLoopback(host)) return
  const problem = secretProblem(env, 'OBS_API_TOKEN')
  if (problem) report(['page', 'bind'], main.page.bind, `others can reach this address: ${problem}; or write 127.0.0.1`)
}

/** Only this machine reaches it. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function checkRules({ main, alert }: Checked, report: Report): void {
  for (const [index, rule] of alert.rules.entries())
    if (rule.critical_after <= rule.warning_after)
      report(
        ['rules', index, 'critical_after'],
        rule.critical_after,
        `an alert is a warning first: write at least ${rule.warning_after + 1}, more than warning_after`,
      )
  const { fallback } = alert.delivery
  if (fallback !== null && !Object.hasOwn(main.channels, fallback))
    report(['delivery', 'fallback'], fallback, noSuchChannel(main.channels))
}

function warnOfSource({ alert }: Checked, source: RawSource, path: YamlPath, report: Report): void {
  const rule = alert.rules.find(({ match }) => matches(match, source.id))
  if (rule === undefined) {
    report([...path, 'id'], source.id, 'no rule applies to this source: it is measured and never judged; add a rule')
    return
  }
  if (source.kind === 'http' && ms(source.timeout) <= rule.threshold_ms)
    report(
      [...path, 'timeout'],
      source.timeout,
      `a timeout counts as this latency, which is not above ${rule.threshold_ms} ms (threshold_ms of ${rule.id}): no p95 can breach; write a longer timeout`,
    )
}

/** A file that is kept longer than the records it is made of cannot be made again. */
function warnOfRetention({ jobs: { latency } }: RawConfig, report: Report): void {
  const kept = { raw_retention_days: topics.sample, rollup_retention_days: topics.window } as const
  for (const [key, { name, retentionMs }] of Object.entries(kept)) {
    const mostDays = retentionMs / DAY_MS - SPARE_DAYS
    const days = latency[key as keyof typeof kept]
    if (days > mostDays)
      report(
        ['jobs', 'latency', key],
        days,
        `${name} is kept for ${retentionMs / DAY_MS} days, so what is older cannot be made again from the log; write at most ${mostDays}, or keep copies elsewhere`,
      )
  }
}

function warnOfRules({ main, alert, alertFile }: Checked, report: Report): void {
  const rest = new Set(main.sources)
  for (const [index, rule] of alert.rules.entries()) {
    const mine = [...rest].filter((source) => matches(rule.match, source.id))
    for (const source of mine) rest.delete(source)
    if (mine.length === 0 && main.sources.length > 0)
      report(['rules', index, 'match'], rule.match, 'applies to no source: none matches, or an earlier rule takes it')
    if (alertFile.has(['rules', index, 'min_samples']))
      warnOfMinSamples(main, rule, mine, (message) =>
        report(['rules', index, 'min_samples'], rule.min_samples, message),
      )
  }
}

function warnOfMinSamples(
  { window }: RawConfig,
  rule: RawRule,
  sources: readonly RawSource[],
  warn: (message: string) => void,
): void {
  for (const source of sources) {
    const expected = Math.floor(ms(window.length) / ms(source.interval))
    if (rule.min_samples > expected)
      warn(
        `a window of ${source.id} has only ${expected} (${window.length} / ${source.interval}), which is used instead`,
      )
  }
}
