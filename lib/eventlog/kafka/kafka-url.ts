import { ObstreamError } from '#lib/errors.ts'

/** Where a Kafka log lies. */
export interface KafkaPlace {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[]
  /** Before the names of topics and groups, with its dot; empty by default. */
  readonly prefix: string
}

const DEFAULT_PORT = '9092'
const BROKER = /^(?<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::(?<port>\d{1,5}))?$/
const PREFIX = /^[A-Za-z0-9_-]{1,64}$/

/**
 * Reads `kafka://host[:port][,host[:port]…][/prefix]`. With a prefix several desks share one cluster: `/tokyo` makes
 * `tokyo.obs.sample.v1` of `obs.sample.v1`, and the group `tokyo.obs.rollup`.
 *
 * @param rest of the URL, behind `kafka:`
 * @throws OBS_LOG_UNSUPPORTED
 */
export function parseKafkaUrl(rest: string): KafkaPlace {
  const [, list = '', prefix] = /^\/\/([^/]+)(?:\/(.*))?$/.exec(rest) ?? []
  const brokers = list.split(',').map((broker) => {
    const { host, port = DEFAULT_PORT } = BROKER.exec(broker)?.groups ?? {}
    return host !== undefined && Number(port) > 0 && Number(port) < 65_536 ? `${host}:${port}` : undefined
  })
  if (
    !brokers.every((broker) => broker !== undefined) ||
    (prefix !== undefined && prefix !== '' && !PREFIX.test(prefix))
  )
    throw new ObstreamError(
      'OBS_LOG_UNSUPPORTED',
      `"kafka:${rest}" names no Kafka log. Write kafka://host:port, several with commas between, and perhaps /prefix behind them (letters, digits, _ and -).`,
    )
  return { brokers, prefix: prefix ? `${prefix}.` : '' }
}
