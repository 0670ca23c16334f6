import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CREDENTIALS, isScram, propertiesText } from './broker-settings.ts'
import type { ClusterPlan, StartableServer } from './cluster.ts'
import { JavaServer, runJava } from './java-server.ts'

const LOG4J = fileURLToPath(new URL('log4j2.properties', import.meta.url))

export interface JvmBrokerOptions {
  readonly nodeId: number
  /** Of its own; what another broker with the same settings has left there goes on. */
  readonly folder: string
  /** The folder with Kafka's jars. */
  readonly libraries: string
  readonly plan: ClusterPlan
}

/** Where a broker keeps its partitions, each in a folder `<topic>-<partition>`. @param folder its own */
export const dataFolder = (folder: string): string => join(folder, 'data')

/** A broker as a process of this machine's Java. */
export class JvmBroker implements StartableServer {
  readonly #options: JvmBrokerOptions
  readonly #classPath: string
  readonly #properties: string
  readonly #server: JavaServer

  constructor(options: JvmBrokerOptions) {
    const { nodeId, folder, libraries } = options
    this.#options = options
    this.#classPath = join(libraries, '*')
    this.#properties = join(folder, 'server.properties')
    this.#server = new JavaServer({
      name: `broker ${nodeId}`,
      args: [
        ...['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true'],
        `-Dlog4j2.configurationFile=file:${LOG4J}`,
        ...['-cp', this.#classPath, 'kafka.Kafka', this.#properties],
      ],
      cwd: folder,
      readyWhen: /Kafka Server started/,
      deadlineMs: 90_000,
    })
  }

  get pid(): number | undefined {
    return this.#server.pid
  }

  async start(): Promise<void> {
    const { nodeId, folder, plan } = this.#options
    const [data, keystore] = [dataFolder(folder), join(folder, 'keystore.pem')]
    mkdirSync(folder, { recursive: true })
    writeFileSync(this.#properties, propertiesText(plan.settingsOf(nodeId, data, keystore)))
    if (plan.certificate !== undefined) writeFileSync(keystore, plan.certificate.keystore)
    if (!existsSync(join(data, 'meta.properties'))) await this.#format()
    await this.#server.start()
  }

  async #format(): Promise<void> {
    const { folder, plan } = this.#options
    const { username, password } = CREDENTIALS
    const user = isScram(plan.sasl)
      ? ['--add-scram', `${plan.sasl.toUpperCase()}=[name=${username},password=${password}]`]
      : []
    const storageTool = ['-XX:TieredStopAtLevel=1', '-cp', this.#classPath, 'kafka.tools.StorageTool']
    await runJava([...storageTool, 'format', `--cluster-id=${plan.clusterId}`, '-c', this.#properties, ...user], folder)
  }

  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    return this.#server.kill(signal)
  }

  async pause(): Promise<void> {
    this.#server.pause()
  }

  async resume(): Promise<void> {
    this.#server.resume()
  }

  async restart(): Promise<void> {
    await this.kill('SIGTERM')
    await this.start()
  }
}
