/** Ports of one broker on 127.0.0.1. */
export interface BrokerPorts {
  /** Clients. */
  readonly client: number
  /** The other brokers, always in plain text. */
  readonly internal: number
  readonly controller: number
  /** Where clients are told to go instead, when something stands before the broker that passes on what they say. */
  readonly advertised?: number
}

export type SaslMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512'

/** How clients prove who they are, and whether what they say is encrypted. Default: neither. */
export interface ListenerSecurity {
  readonly sasl?: SaslMechanism
  readonly tls?: boolean
}

export type BrokerSettings = Readonly<Record<string, string>>

/** The one user of a cluster with `sasl`. */
export const CREDENTIALS = { username: 'obstream', password: 'not-a-secret' } as const

/** Settings that all brokers of a cluster have in common: small topics of Kafka's own, quick to start and to notice. */
function clusterSettings(brokers: number): BrokerSettings {
  const replicas = String(Math.min(brokers, 3))
  const inSync = String(Math.min(brokers, 2))
  return {
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '2',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    // A broker that was killed may come back when its old session has ended: 7 s with these, 18 s without.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    // A follower that stands still leaves the in-sync replicas soon, so that an append does not wait 30 s for it.
    'replica.lag.time.max.ms': '5000',
    'log.cleaner.backoff.ms': '200',
    'log.retention.check.interval.ms': '1000',
    'num.network.threads': '2',
    'num.io.threads': '4',
  }
}

/** One process is broker and controller at once. @param folder where it keeps its data */
export function brokerSettings(
  nodeId: number,
  nodes: readonly BrokerPorts[],
  folder: string,
  security: ListenerSecurity,
): BrokerSettings {
  const { client, internal, controller, advertised = client } = nodes[nodeId - 1]!
  const host = '127.0.0.1'
  return {
    ...clusterSettings(nodes.length),
    'process.roles': 'broker,controller',
    'node.id': String(nodeId),
    'controller.quorum.voters': nodes.map((ports, i) => `${i + 1}@${host}:${ports.controller}`).join(','),
    listeners: `CLIENT://${host}:${client},INTERNAL://${host}:${internal},CONTROLLER://${host}:${controller}`,
    'advertised.listeners': `CLIENT://${host}:${advertised},INTERNAL://${host}:${internal}`,
    'listener.security.protocol.map': `CLIENT:${protocolOf(security)},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'inter.broker.listener.name': 'INTERNAL',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': folder,
    ...(security.sasl === undefined ? {} : saslSettings(security.sasl)),
  }
}

function protocolOf({ sasl, tls = false }: ListenerSecurity): string {
  if (sasl === undefined) return tls ? 'SSL' : 'PLAINTEXT'
  return tls ? 'SASL_SSL' : 'SASL_PLAINTEXT'
}

function saslSettings(sasl: SaslMechanism): BrokerSettings {
  const { username, password } = CREDENTIALS
  const module =
    sasl === 'plain'
      ? `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`
      : 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  return {
    'listener.name.client.sasl.enabled.mechanisms': sasl.toUpperCase(),
    [`listener.name.client.${sasl}.sasl.jaas.config`]: module,
  }
}

/** Whether the user is kept in Kafka's metadata instead of its settings. */
export function isScram(sasl: SaslMechanism | undefined): sasl is Exclude<SaslMechanism, 'plain'> {
  return sasl !== undefined && sasl !== 'plain'
}

/** @param pemFile key and certificate */
export function tlsSettings(pemFile: string): BrokerSettings {
  return {
    'listener.name.client.ssl.keystore.type': 'PEM',
    'listener.name.client.ssl.keystore.location': pemFile,
  }
}

/** As the variables that Kafka's container image takes. */
export function asVariables(settings: BrokerSettings): Readonly<Record<string, string>> {
  const variable = (name: string) =>
    name.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_').toUpperCase()
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [`KAFKA_${variable(name)}`, value]))
}

/** As the text of a `server.properties`. */
export function propertiesText(settings: BrokerSettings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')
}
