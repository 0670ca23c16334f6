import type { RawAlertConfig, RawConfig } from './raw.ts'
import type { YamlPath } from './yaml-file.ts'

type Report = (path: YamlPath, value: unknown, message: string) => void

/** Every channel that is named must be there. */
export function checkRoutes({ routes, channels }: RawConfig, report: Report): void {
  for (const [route, names] of Object.entries(routes))
    for (const [index, name] of names.entries())
      if (!Object.hasOwn(channels, name)) report(['routes', route, index], name, noSuchChannel(channels))
}

export function noSuchChannel(channels: RawConfig['channels']): string {
  const names = Object.keys(channels)
  return names.length === 0
    ? 'there are no channels; add it under `channels`'
    : `there is no such channel; write one of ${names.join(', ')}, or add it under \`channels\``
}

interface RouteChecks {
  readonly main: RawConfig
  readonly alert: RawAlertConfig
  /** Whether the main file says it, be it nothing. */
  saysMain(path: YamlPath): boolean
  saysAlert(path: YamlPath): boolean
}

const WITHOUT_CHANNELS =
  'there is none, so nobody is told of any alert; write e.g. `ops: {kind: webhook, url_env: OBS_WEEKLY_WEBHOOK_URL}` under `channels`, and `warning: [ops]` and `critical: [ops]` under `routes`'

/** Alerts that nobody would hear of. All of it in the main file. */
export function warnOfUntold({ main, saysMain, saysAlert }: RouteChecks, report: Report): void {
  const { channels, routes } = main
  const [example] = Object.keys(channels)
  if (example === undefined) {
    report(['channels'], undefined, WITHOUT_CHANNELS)
    return
  }
  const untold = (['warning', 'critical'] as const).filter((severity) => routes[severity].length === 0)
  if (untold.length === 2)
    report(
      ['routes'],
      undefined,
      `neither a warning nor a critical alert, of whatever rule, is told to anybody; write e.g. \`warning: [${example}]\` and \`critical: [${example}]\` under \`routes\``,
    )
  else if (untold[0] === 'critical')
    report(
      ['routes', 'critical'],
      undefined,
      `nobody is told that an alert has become critical, nor that the sampler is silent; write e.g. \`critical: [${example}]\` under \`routes\``,
    )
  else if (untold[0] === 'warning' && !saysMain(['routes', 'warning']))
    report(
      ['routes', 'warning'],
      undefined,
      `nobody is told of an alert before it is critical; write e.g. \`warning: [${example}]\` under \`routes\`, or [] if that is meant`,
    )
  if (routes.unacknowledged.length === 0 && saysAlert(['delivery', 'ack_within']))
    report(
      ['routes', 'unacknowledged'],
      undefined,
      `delivery.ack_within is there, and nobody is told after it; write e.g. \`unacknowledged: [${example}]\` under \`routes\``,
    )
}

/** Channels that are named nowhere. */
export function warnOfUnusedChannels({ main, alert }: Pick<RouteChecks, 'main' | 'alert'>, report: Report): void {
  const used = new Set([...Object.values(main.routes).flat(), alert.delivery.fallback])
  for (const name of Object.keys(main.channels))
    if (!used.has(name))
      report(
        ['channels', name],
        undefined,
        'no route leads to it and it is no fallback, so it is told nothing; name it under `routes` or as `delivery.fallback`, or remove it',
      )
}
