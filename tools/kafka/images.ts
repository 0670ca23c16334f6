import type { KafkaVersion } from './libraries.ts'

/** Kafka's public image of that release; `npm run kafka:images` builds one that takes the same settings. */
export function kafkaImage(version: KafkaVersion): string {
  return `apache/kafka:${version}`
}

/** The registry's public image that keeps its schemas in H2. */
export const REGISTRY_IMAGE = 'apicurio/apicurio-registry-mem:2.6.13.Final'
