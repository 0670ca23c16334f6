import { spawnSync } from 'node:child_process'
import type { ClusterOptions } from '#tools/kafka/cluster.ts'
import { kafkaImage, REGISTRY_IMAGE } from '#tools/kafka/images.ts'
import { startJvmCluster } from '#tools/kafka/jvm-cluster.ts'
import { startJvmRegistry } from '#tools/kafka/jvm-registry.ts'
import { javaMissing, KAFKA_VERSIONS, type KafkaVersion } from '#tools/kafka/libraries.ts'
import type { RegistryOptions } from '#tools/kafka/registry.ts'
import type { KafkaCluster, SchemaRegistry } from '#tools/kafka/server.ts'

/** One way to run servers on this machine. */
export interface KafkaProvider {
  startCluster(options: ClusterOptions): Promise<KafkaCluster>
  startRegistry(options: RegistryOptions): Promise<SchemaRegistry>
}

const jvm: KafkaProvider = { startCluster: startJvmCluster, startRegistry: startJvmRegistry }

/** Loaded when it is used: `testcontainers` is large. */
const docker: KafkaProvider = {
  startCluster: async (options) => (await import('./docker.ts')).startDockerCluster(options),
  startRegistry: async (options) => (await import('./docker.ts')).startDockerRegistry(options),
}

/** Why no container can be started here; nothing is ever pulled. */
function dockerMissing(): string | undefined {
  const images = [kafkaImage(wantedVersion()), REGISTRY_IMAGE]
  const inspected = spawnSync('docker', ['image', 'inspect', ...images], { encoding: 'utf8', timeout: 10_000 })
  if (inspected.status === 0) return undefined
  return `Docker has no ${images.join(' or ')}: ${String(inspected.error ?? inspected.stderr).trim()}`
}

/** What `OBS_TEST_KAFKA` says: `docker`, `jvm`, `none`, or `auto` for what is there; as text: why nothing can run. */
function chooseProvider(): KafkaProvider | string {
  const wanted = process.env['OBS_TEST_KAFKA'] ?? 'auto'
  switch (wanted) {
    case 'none':
      return 'OBS_TEST_KAFKA=none'
    case 'jvm':
      return javaMissing() ?? jvm
    case 'docker':
      return dockerMissing() ?? docker
    case 'auto':
      return dockerMissing() === undefined ? docker : (javaMissing() ?? jvm)
    default:
      throw new Error(`OBS_TEST_KAFKA=${wanted} is none of auto, jvm, docker, none`)
  }
}

let chosen: KafkaProvider | string | undefined

/** Why no broker can be started here, for `testNeeding`; `undefined` when one can. */
export function kafkaMissing(): string | undefined {
  chosen ??= chooseProvider()
  return typeof chosen === 'string' ? chosen : undefined
}

function kafkaProvider(): KafkaProvider {
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
