import { randomBytes } from 'node:crypto'
import {
  type BrokerPorts,
  type BrokerSettings,
  brokerSettings,
  CREDENTIALS,
  type ListenerSecurity,
  type SaslMechanism,
  tlsSettings,
} from './broker-settings.ts'
import { type Certificate, makeCertificate } from './certificate.ts'
import { KAFKA_VERSIONS, type KafkaVersion } from './libraries.ts'
import { freePorts } from './ports.ts'
import type { KafkaCluster, Server } from './server.ts'

export interface ClusterOptions {
  /** Default 1. */
  readonly brokers?: 1 | 3
  readonly version?: KafkaVersion
  readonly security?: ListenerSecurity
  /** Settings of every broker, as in `server.properties`; they win over those that are chosen here. */
  readonly settings?: BrokerSettings
}

/** What is the same for a cluster wherever its brokers run. */
export interface ClusterPlan {
  readonly version: KafkaVersion
  /** 16 bytes in base64url. */
  readonly clusterId: string
  readonly nodes: readonly BrokerPorts[]
  readonly sasl: SaslMechanism | undefined
  readonly certificate: Certificate | undefined
  /**
   * @param data folder of that broker's log
   * @param keystore file with certificate and key
   */
  settingsOf(nodeId: number, data: string, keystore: string): BrokerSettings
}

/** @param ports of each broker; default: ports that are free */
export async function planCluster(options: ClusterOptions, ports?: readonly BrokerPorts[]): Promise<ClusterPlan> {
  const { brokers = 1, version = KAFKA_VERSIONS[0], security = {}, settings = {} } = options
  const nodes = ports ?? (await choosePorts(brokers))
  return {
    version,
    clusterId: randomBytes(16).toString('base64url'),
    nodes,
    sasl: security.sasl,
    certificate: security.tls === true ? makeCertificate() : undefined,
    settingsOf: (nodeId, data, keystore) => ({
      ...brokerSettings(nodeId, nodes, data, security),
      ...(security.tls === true ? tlsSettings(keystore) : {}),
      ...settings,
    }),
  }
}

export interface StartableServer extends Server {
  /** Resolves when it serves. */
  start(): Promise<void>
}

/** Starts all at once, as none serves before more than half of them are up. @param stop also called when one fails */
export async function startBrokers(
  { nodes, sasl, certificate }: ClusterPlan,
  brokers: readonly StartableServer[],
  stop: () => Promise<void>,
): Promise<KafkaCluster> {
  const started = await Promise.allSettled(brokers.map((broker) => broker.start()))
  const failed = started.find((result) => result.status === 'rejected')
  if (failed !== undefined) {
    await stop()
    throw failed.reason
  }
  return {
    bootstrap: nodes.map(({ client, advertised = client }) => `127.0.0.1:${advertised}`),
    credentials: sasl === undefined ? undefined : CREDENTIALS,
    ca: certificate?.ca,
    broker(nodeId) {
      const broker = brokers[nodeId - 1]
      if (broker === undefined) throw new RangeError(`there is no broker ${nodeId}, only 1 to ${brokers.length}`)
      return broker
    },
    stop,
  }
}

/** Ports that are free, for each of so many brokers. */
export async function choosePorts(brokers: number): Promise<readonly BrokerPorts[]> {
  const free = await freePorts(3 * brokers)
  return Array.from({ length: brokers }, (_, i) => ({
    client: free[3 * i]!,
    internal: free[3 * i + 1]!,
    controller: free[3 * i + 2]!,
  }))
}
