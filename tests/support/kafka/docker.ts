import { asVariables, CREDENTIALS, isScram } from '#tools/kafka/broker-settings.ts'
import { type ClusterOptions, planCluster, startBrokers } from '#tools/kafka/cluster.ts'
import { kafkaImage, REGISTRY_IMAGE } from '#tools/kafka/images.ts'
import { freePorts } from '#tools/kafka/ports.ts'
import { type RegistryOptions, registryUrl, setCompatibility } from '#tools/kafka/registry.ts'
import type { KafkaCluster, SchemaRegistry } from '#tools/kafka/server.ts'
import { DockerServer } from './docker-server.ts'

const DATA = '/tmp/kafka-data'
const KEYSTORE = '/tmp/keystore.pem'

/**
 * Starts brokers in containers of Kafka's public image, or of ours, which takes the same settings. They use the host's
 * network, so the addresses are as on the JVM.
 */
export async function startDockerCluster(options: ClusterOptions): Promise<KafkaCluster> {
  const plan = await planCluster(options)
  const { certificate, sasl } = plan
  const brokers = plan.nodes.map(
    (_, i) =>
      new DockerServer({
        name: `broker ${i + 1}`,
        image: kafkaImage(plan.version),
        variables: { CLUSTER_ID: plan.clusterId, ...asVariables(plan.settingsOf(i + 1, DATA, KEYSTORE)) },
        files: certificate === undefined ? {} : { [KEYSTORE]: certificate.keystore },
        readyWhen: /Kafka Server started/,
      }),
  )
  const stop = async () => {
    await Promise.all(brokers.map((broker) => broker.remove()))
  }
  const cluster = await startBrokers(plan, brokers, stop)
  try {
    if (isScram(sasl)) await brokers[0]!.run(addUser(sasl, plan.nodes[0]!.internal))
  } catch (error) {
    await stop()
    throw error
  }
  return cluster
}

/** The image cannot add a user when it formats the data folder, as the JVM provider does. */
function addUser(sasl: string, port: number): readonly string[] {
  const { username, password } = CREDENTIALS
  return [
    ...['java', '-cp', '/opt/kafka/libs/*', 'kafka.admin.ConfigCommand', '--bootstrap-server', `127.0.0.1:${port}`],
    ...['--alter', '--add-config', `${sasl.toUpperCase()}=[password=${password}]`],
    ...['--entity-type', 'users', '--entity-name', username],
  ]
}

/** Starts a registry in a container. What it knows outlives a restart. */
export async function startDockerRegistry({ compatibility }: RegistryOptions): Promise<SchemaRegistry> {
  const [port] = await freePorts(1)
  const url = registryUrl(port!)
  const server = new DockerServer({
    name: 'the schema registry',
    image: REGISTRY_IMAGE,
    variables: {
      QUARKUS_HTTP_HOST: '127.0.0.1',
      HTTP_PORT: String(port),
      REGISTRY_DATASOURCE_URL: 'jdbc:h2:file:/tmp/registry;WRITE_DELAY=0',
    },
    files: {},
    readyWhen: /Listening on: http/,
  })
  try {
    await server.start()
    await setCompatibility(url, compatibility ?? 'BACKWARD')
  } catch (error) {
    await server.remove()
    throw error
  }
  return Object.assign(server, { url, stop: () => server.remove() })
}
