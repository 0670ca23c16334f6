import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BrokerPorts,
  type BrokerSettings,
  brokerSettings,
  CREDENTIALS,
  type ListenerSecurity,
  tlsSettings,
} from './broker-settings.ts'
import { makeCertificate } from './certificate.ts'
import { JvmBroker } from './jvm-broker.ts'
import { KAFKA_VERSIONS, type KafkaVersion, kafkaLibraries } from './libraries.ts'
import { freePorts } from './ports.ts'
import type { KafkaCluster } from './server.ts'

export interface ClusterOptions {
  /** Default 1. */
  readonly brokers?: 1 | 3
  readonly version?: KafkaVersion
  readonly security?: ListenerSecurity
  /** Settings of every broker, as in `server.properties`; they win over those that are chosen here. */
  readonly settings?: BrokerSettings
}

/** Where a cluster lives that is to be found again. */
export interface Place {
  /** Stays when the cluster stops. */
  readonly folder: string
  /** One for each broker. */
  readonly ports: readonly BrokerPorts[]
}

/**
 * Starts brokers on this machine's Java: about 6 s, and 350 MB of memory each.
 *
 * @param place default: a temporary folder, deleted at stop, and ports that are free
 */
export async function startJvmCluster(options: ClusterOptions = {}, place?: Place): Promise<KafkaCluster> {
  const { security = {}, version = KAFKA_VERSIONS[0] } = options
  const libraries = await kafkaLibraries(version)
  const folder = place?.folder ?? mkdtempSync(join(tmpdir(), 'obstream-kafka-'))
  const nodes = place?.ports ?? (await choosePorts(options.brokers ?? 1))
  const certificate = security.tls === true ? makeCertificate(folder) : undefined
  const clusterId = randomBytes(16).toString('base64url')
  const brokers = nodes.map((_, i) => {
    const own = { nodeId: i + 1, folder: join(folder, `broker-${i + 1}`) }
    const settings = {
      ...brokerSettings(own.nodeId, nodes, JvmBroker.dataOf(own.folder), security),
      ...(certificate === undefined ? {} : tlsSettings(certificate.pemFile)),
      ...options.settings,
    }
    return new JvmBroker({ ...own, libraries, clusterId, settings, sasl: security.sasl })
  })
  const stop = async () => {
    await Promise.all(brokers.map((broker) => broker.kill(place === undefined ? 'SIGKILL' : 'SIGTERM')))
    if (place === undefined) rmSync(folder, { recursive: true, force: true })
  }
  await Promise.all(brokers.map((broker) => broker.start())).catch(async (error) => {
    await stop()
    throw error
  })
  return {
    bootstrap: nodes.map(({ client }) => `127.0.0.1:${client}`),
    credentials: security.sasl === undefined ? undefined : CREDENTIALS,
    ca: certificate?.ca,
    broker: (nodeId) => numbered(brokers, nodeId),
    stop,
  }
}

/** Three for each broker, each another one. */
export async function choosePorts(brokers: number): Promise<readonly BrokerPorts[]> {
  const free = await freePorts(3 * brokers)
  return Array.from({ length: brokers }, (_, i) => ({
    client: free[3 * i]!,
    internal: free[3 * i + 1]!,
    controller: free[3 * i + 2]!,
  }))
}

/** @throws RangeError when there is no broker of that number */
export function numbered<T>(brokers: readonly T[], nodeId: number): T {
  const broker = brokers[nodeId - 1]
  if (broker === undefined) throw new RangeError(`there is no broker ${nodeId}, only 1 to ${brokers.length}`)
  return broker
}
