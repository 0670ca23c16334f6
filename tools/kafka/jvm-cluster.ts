import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrokerPorts } from './broker-settings.ts'
import { type ClusterOptions, planCluster, startBrokers } from './cluster.ts'
import { JvmBroker } from './jvm-broker.ts'
import { kafkaLibraries } from './libraries.ts'
import type { KafkaCluster } from './server.ts'

/** Where a cluster lives that is to be found again. */
export interface Place {
  /** Stays when the cluster stops. */
  readonly folder: string
  /** One for each broker. */
  readonly ports: readonly BrokerPorts[]
}

/**
 * Starts brokers on this machine's Java: about 6 s, and 300 MB of memory each.
 *
 * @param place default: a temporary folder, deleted at stop, and ports that are free
 */
export async function startJvmCluster(options: ClusterOptions, place?: Place): Promise<KafkaCluster> {
  const plan = await planCluster(options, place?.ports)
  const libraries = await kafkaLibraries(plan.version)
  const folder = place?.folder ?? mkdtempSync(join(tmpdir(), 'obstream-kafka-'))
  const brokers = plan.nodes.map(
    (_, i) => new JvmBroker({ nodeId: i + 1, folder: brokerFolder(folder, i + 1), libraries, plan }),
  )
  return startBrokers(plan, brokers, async () => {
    await Promise.all(brokers.map((broker) => broker.kill(place === undefined ? 'SIGKILL' : 'SIGTERM')))
    if (place === undefined) rmSync(folder, { recursive: true, force: true })
  })
}

/** A broker's own folder in that of its cluster. */
export const brokerFolder = (clusterFolder: string, nodeId: number): string => join(clusterFolder, `broker-${nodeId}`)
