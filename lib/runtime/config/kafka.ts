import type { KafkaConfig } from '#lib/config.ts'
import { parseDuration } from '#lib/time.ts'
import type { EnvironmentVariables } from '../secrets.ts'
import { readSecret, secretProblem } from '../secrets.ts'
import { absolutePath } from './paths.ts'
import { pemProblem, readPem } from './pem.ts'
import type { RawKafka } from './raw.ts'
import type { YamlPath } from './yaml-file.ts'

export const isKafka = (log: string): boolean => log.startsWith('kafka:')

/** @param log as flags, environment and file say it; without Kafka no file and no secret is read */
export function buildKafka(log: string, kafka: RawKafka, dataDir: string, env: EnvironmentVariables): KafkaConfig {
  const { tls, sasl } = kafka
  const isUsed = isKafka(log)
  return {
    clientId: kafka.client_id,
    connectTimeoutMs: parseDuration(kafka.connect_timeout)!,
    replication: kafka.replication,
    tls: isUsed && tls.enabled ? buildTls(tls, dataDir) : null,
    sasl:
      isUsed && sasl.mechanism
        ? {
            mechanism: sasl.mechanism,
            username: readSecret(env, sasl.username_env)!,
            password: readSecret(env, sasl.password_env)!,
          }
        : null,
  }
}

function buildTls(tls: RawKafka['tls'], dataDir: string): NonNullable<KafkaConfig['tls']> {
  const [ca, cert, key] = [tls.ca_file, tls.cert_file, tls.key_file].map((path) =>
    path === null ? undefined : readPem(absolutePath(dataDir, path)),
  )
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls.server_name === null ? {} : { servername: tls.server_name }),
  }
}

type Report = (path: YamlPath, value: unknown, message: string) => void

/** Files that cannot be read, a certificate without its key, secrets that are not set. */
export function checkKafka(
  { tls, sasl }: RawKafka,
  { dataDir, env }: { readonly dataDir: string; readonly env: EnvironmentVariables },
  report: Report,
): void {
  if (tls.enabled) checkTls(tls, dataDir, report)
  if (sasl.mechanism === null) return
  for (const key of ['username_env', 'password_env'] as const) {
    const problem = secretProblem(env, sasl[key])
    if (problem) report(['kafka', 'sasl', key], sasl[key], problem)
  }
}

function checkTls(tls: RawKafka['tls'], dataDir: string, report: Report): void {
  for (const key of ['ca_file', 'cert_file', 'key_file'] as const) {
    const problem = tls[key] === null ? undefined : pemProblem(absolutePath(dataDir, tls[key]))
    if (problem) report(['kafka', 'tls', key], tls[key], problem)
  }
  if ((tls.cert_file === null) !== (tls.key_file === null))
    report(
      ['kafka', 'tls'],
      undefined,
      'a certificate of our own needs its key: write both cert_file and key_file, or none',
    )
}
