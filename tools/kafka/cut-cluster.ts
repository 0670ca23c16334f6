import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { choosePorts } from './cluster.ts'
import { dataFolder } from './jvm-broker.ts'
import { brokerFolder, startJvmCluster } from './jvm-cluster.ts'
import { Line } from './line.ts'
import type { KafkaCluster } from './server.ts'

/** A cluster whose clients reach each broker through a line that can be cut. Brokers speak to each other directly. */
export interface CutCluster extends KafkaCluster {
  readonly brokers: number
  /** @param nodeId from 1 */
  line(nodeId: number): Line
  /** Where a broker keeps its partitions, each in a folder `<topic>-<partition>`. */
  dataFolder(nodeId: number): string
}

/** Starts brokers on this machine's Java. */
export async function startCutCluster(brokers: 1 | 3): Promise<CutCluster> {
  const ports = await choosePorts(brokers)
  const lines = ports.map(({ client }) => new Line(client))
  const shut = async (): Promise<void> => void (await Promise.all(lines.map((line) => line.shut())))
  const folder = mkdtempSync(join(tmpdir(), 'obstream-kafka-'))
  const forget = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const advertised = await Promise.all(lines.map((line) => line.open()))
    const nodes = ports.map((node, i) => ({ ...node, advertised: advertised[i]! }))
    const cluster = await startJvmCluster({ brokers }, { folder, ports: nodes })
    return {
      ...cluster,
      brokers,
      line: (nodeId) => lines[nodeId - 1]!,
      dataFolder: (nodeId) => dataFolder(brokerFolder(folder, nodeId)),
      async stop() {
        await shut()
        await Promise.all(nodes.map((_, i) => cluster.broker(i + 1).kill('SIGKILL')))
        await cluster.stop()
        forget()
      },
    }
  } catch (error) {
    await shut()
    forget()
    throw error
  }
}
