import { type ClusterOptions, startJvmCluster } from '#tools/kafka/jvm-cluster.ts'
import { type RegistryOptions, startJvmRegistry } from '#tools/kafka/jvm-registry.ts'
import { javaMissing, KAFKA_VERSIONS, type KafkaVersion } from '#tools/kafka/libraries.ts'
import type { KafkaCluster, SchemaRegistry } from '#tools/kafka/server.ts'

/** One way to run servers on this machine. */
export interface KafkaProvider {
  readonly name: 'jvm'
  startCluster(options: ClusterOptions): Promise<KafkaCluster>
  startRegistry(options: RegistryOptions): Promise<SchemaRegistry>
}

const jvm: KafkaProvider = { name: 'jvm', startCluster: startJvmCluster, startRegistry: startJvmRegistry }

/** What runs Kafka for the tests, as `OBS_TEST_KAFKA` says (`auto`, `jvm`, `none`); or why nothing can. */
function chooseProvider(): KafkaProvider | string {
  const wanted = process.env['OBS_TEST_KAFKA'] ?? 'auto'
  switch (wanted) {
    case 'none':
      return 'OBS_TEST_KAFKA=none'
    case 'auto':
    case 'jvm':
      return javaMissing() ?? jvm
    default:
      throw new Error(`OBS_TEST_KAFKA=${wanted} is none of auto, jvm, none`)
  }
}

let chosen: KafkaProvider | string | undefined

/** Why no broker can be started here, for `testNeeding`; `undefined` when one can. */
export function kafkaMissing(): string | undefined {
  chosen ??= chooseProvider()
  return typeof chosen === 'string' ? chosen : undefined
}

/** @throws when `kafkaMissing()` */
export function kafkaProvider(): KafkaProvider {
  chosen ??= chooseProvider()
  if (typeof chosen === 'string') throw new Error(`no Kafka can be started: ${chosen}`)
  return chosen
}

/** The release that `OBS_TEST_KAFKA_VERSION` says; without it the newest that we test. */
function wantedVersion(): KafkaVersion {
  const wanted = process.env['OBS_TEST_KAFKA_VERSION'] ?? KAFKA_VERSIONS[0]
  const version = KAFKA_VERSIONS.find((known) => known === wanted)
  if (version === undefined) throw new Error(`OBS_TEST_KAFKA_VERSION=${wanted} is none of ${KAFKA_VERSIONS.join(', ')}`)
  return version
}

/** A cluster of the test's own, to hurt. Where nothing is hurt, `sharedKafka` costs less. */
export function startCluster(options: ClusterOptions = {}): Promise<KafkaCluster> {
  return kafkaProvider().startCluster({ version: wantedVersion(), ...options })
}

/** A registry of the test's own, to hurt. */
export function startRegistry(options: RegistryOptions = {}): Promise<SchemaRegistry> {
  return kafkaProvider().startRegistry(options)
}
