import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { type BrokerSettings, CREDENTIALS } from '#tools/kafka/broker-settings.ts'
import { type Certificate, makeCertificate } from '#tools/kafka/certificate.ts'
import { choosePorts } from '#tools/kafka/cluster.ts'
import { brokerFolder, startJvmCluster } from '#tools/kafka/jvm-cluster.ts'
import { freePorts } from '#tools/kafka/ports.ts'
import { kafkaTool } from './kafka-tools.ts'

/** A user with a password that is right and rights that the test gives him: none at first. */
export const STRANGER = { username: 'stranger', password: 'also-not-a-secret' } as const

/** How long a broker believes who somebody is. kafkajs says it again 10 s before; brokers hear it once in a second. */
export const SESSION_MS = 11_500

/** A broker that lets nobody in whom it does not know, and nobody do what he was not allowed to. */
export interface GuardedBroker {
  /** Brokers of the listener that asks for a user, by any mechanism. The one of `CREDENTIALS` may do everything. */
  readonly byPassword: readonly string[]
  /** Brokers of the listener that asks for a certificate. Who has the one of `client` may do everything. */
  readonly byCertificate: readonly string[]
  /** The certificate to trust, in PEM. */
  readonly ca: string
  readonly client: Certificate
  /** Gives rights. */
  readonly admin: Admin
  stop(): Promise<void>
}

const HOST = '127.0.0.1'

export async function startGuardedBroker(): Promise<GuardedBroker> {
  const [ports] = await choosePorts(1)
  const [certificatePort] = await freePorts(1)
  const folder = mkdtempSync(join(tmpdir(), 'obstream-guarded-'))
  const client = makeCertificate()
  const clients = join(folder, 'clients.pem')
  writeFileSync(clients, client.ca)
  const listeners = `CLIENT://${HOST}:${ports!.client},INTERNAL://${HOST}:${ports!.internal},CERTIFICATE://${HOST}:${certificatePort}`
  const cluster = await startJvmCluster(
    {
      security: { sasl: 'scram-sha-512', tls: true },
      settings: {
        listeners: `${listeners},CONTROLLER://${HOST}:${ports!.controller}`,
        'advertised.listeners': listeners,
        'listener.security.protocol.map': 'CLIENT:SASL_SSL,CERTIFICATE:SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
        ...passwordSettings,
        ...certificateSettings(join(brokerFolder(folder, 1), 'keystore.pem'), clients),
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': `User:ANONYMOUS;User:${CREDENTIALS.username};User:CN=localhost`,
      },
    },
    { folder, ports: [ports!] },
  )
  const internal = `${HOST}:${ports!.internal}`
  const admin = new Kafka({ brokers: [internal], logLevel: logLevel.NOTHING }).admin()
  await Promise.all([admin.connect(), addScram256User(internal)])
  return {
    byPassword: cluster.bootstrap,
    byCertificate: [`${HOST}:${certificatePort}`],
    ca: cluster.ca!,
    client,
    admin,
    async stop() {
      await admin.disconnect()
      await cluster.broker(1).kill('SIGKILL')
      await cluster.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const SECURITY = 'org.apache.kafka.common.security'
const users = [CREDENTIALS, STRANGER].map(({ username, password }) => `user_${username}="${password}"`)

const passwordSettings: BrokerSettings = {
  'listener.name.client.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
  'listener.name.client.plain.sasl.jaas.config': `${SECURITY}.plain.PlainLoginModule required ${users.join(' ')};`,
  'listener.name.client.scram-sha-256.sasl.jaas.config': `${SECURITY}.scram.ScramLoginModule required;`,
  'listener.name.client.connections.max.reauth.ms': String(SESSION_MS),
}

const certificateSettings = (keystore: string, clients: string): BrokerSettings => ({
  'listener.name.certificate.ssl.client.auth': 'required',
  'listener.name.certificate.ssl.keystore.type': 'PEM',
  'listener.name.certificate.ssl.keystore.location': keystore,
  'listener.name.certificate.ssl.truststore.type': 'PEM',
  'listener.name.certificate.ssl.truststore.location': clients,
})

/** The one for the other mechanism is there since the broker's folder was made. */
async function addScram256User(bootstrap: string): Promise<void> {
  await kafkaTool('kafka.admin.ConfigCommand', [
    ...['--bootstrap-server', bootstrap, '--alter', '--entity-type', 'users', '--entity-name', CREDENTIALS.username],
    ...['--add-config', `SCRAM-SHA-256=[password=${CREDENTIALS.password}]`],
  ])
}
