import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs'
import { exitCodes, ObstreamError } from '#lib/errors.ts'
import type { KafkaLogOptions } from '#lib/eventlog/kafka/kafka-log.ts'
import type { SaslOptions, TlsOptions } from '#lib/eventlog/kafka/kafkajs.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { catalogue } from '#lib/topics.ts'
import { endOf, freshTopics, Recorder, read, recordsOf } from '#tests/contract/eventlog-fixture.ts'
import { type Ended, runBin, startBin } from '#tests/support/bin.ts'
import { freshDesk, putFile, VALID_MAIN } from '#tests/support/desk.ts'
import { eventually } from '#tests/support/eventually.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { type GuardedBroker, SESSION_MS, STRANGER, startGuardedBroker } from '#tests/support/kafka/guarded-broker.ts'
import { kafkaToolsMissing } from '#tests/support/kafka/kafka-tools.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'
import { CREDENTIALS } from '#tools/kafka/broker-settings.ts'
import { makeCertificate } from '#tools/kafka/certificate.ts'

const missing = kafkaMissing() ?? kafkaToolsMissing()
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
const SECRETS = [CREDENTIALS.password, STRANGER.password, 'guessed']
const QUICKLY_MS = 3_000
const { plain } = freshTopics()

let broker: GuardedBroker
const logs: FreshLog[] = []
/** Of the user who may do everything; open from the beginning to the end. */
let log: EventLog
let prefix: string
let openedAtMs: number

if (missing === undefined) {
  beforeAll(async () => {
    broker = await startGuardedBroker()
    const all = freshLog(broker.byPassword, security())
    prefix = all.prefix
    log = await all.open()
    openedAtMs = performance.now()
    await log.topics.apply([plain])
  }, 180_000)
  afterEach(async () => {
    for (const fresh of logs.splice(0)) await fresh.close()
  })
  afterAll(async () => {
    await log?.close()
    await broker?.stop()
  })
}

function security(sasl: Partial<SaslOptions> = {}): Pick<KafkaLogOptions, 'tls' | 'sasl'> {
  return { tls: { ca: broker.ca }, sasl: { mechanism: 'scram-sha-512', ...CREDENTIALS, ...sasl } }
}

/** Another connection to the topics of the test. */
function open(options: Partial<KafkaLogOptions>, brokers = broker.byPassword): Promise<EventLog> {
  const fresh = freshLog(brokers, { prefix, connectTimeoutMs: QUICKLY_MS / 2, ...options })
  logs.push(fresh)
  return fresh.open()
}

/** The error that ended it, which tells no secret, anywhere. */
async function failure(work: Promise<unknown>): Promise<ObstreamError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof ObstreamError)) throw new Error(`no such failure: ${inspect(error)}`)
  const told = inspect(error, { depth: 20, showHidden: true }) + error.stack
  for (const secret of SECRETS) expect(told).not.toContain(secret)
  return error
}

describe('a log is written, read and shared', () => {
  const works = async (options: Partial<KafkaLogOptions>, brokers = broker.byPassword): Promise<void> => {
    const mine = await open(options, brokers)
    const { baseOffset } = await mine.append(plain.name, 0, recordsOf('a'))
    expect(await read(mine, plain, baseOffset, baseOffset + 1)).toBe(`${baseOffset}:a`)
    const member = new Recorder()
    const subscription = await mine.subscribe('reader', plain.name, member)
    await eventually(() => member.events.some((event) => event.startsWith('0> ')))
    await subscription.stop()
  }

  for (const mechanism of MECHANISMS)
    testNeeding(missing, `over TLS, by a user with ${mechanism}`, () => works(security({ mechanism })))

  testNeeding(missing, 'over TLS, by whoever has the right certificate', async () => {
    const { ca, client } = broker
    await works({ tls: { ca, cert: client.ca, key: client.keystore } }, broker.byCertificate)
  })
})

describe('who is not let in is told so at once:', () => {
  for (const mechanism of MECHANISMS)
    testNeeding(missing, `who has a wrong password, with ${mechanism}`, async () => {
      const beganAt = performance.now()
      const { code, message } = await failure(open(security({ mechanism, password: 'guessed' })))
      expect(code).toBe('OBS_LOG_ACCESS_DENIED')
      expect(message).toContain(`${broker.byPassword[0]} refuses to let us in`)
      expect(performance.now() - beganAt).toBeLessThan(QUICKLY_MS)
    })

  testNeeding(missing, 'who is not known', async () => {
    const { code } = await failure(open(security({ username: 'nobody' })))
    expect(code).toBe('OBS_LOG_ACCESS_DENIED')
  })
})

describe('who is not let in by certificate is told so at once:', () => {
  const denied = async (tls: TlsOptions): Promise<string> => {
    const { code, message } = await failure(open({ tls: { ca: broker.ca, ...tls } }, broker.byCertificate))
    expect(code).toBe('OBS_LOG_ACCESS_DENIED')
    return message
  }

  testNeeding(missing, 'who has none, and who has one that nobody has signed whom the broker trusts', async () => {
    const { keystore, ca } = makeCertificate()
    for (const tls of [{}, { cert: ca, key: keystore }])
      expect(await denied(tls)).toMatch(/does not take our certificate \(.+\); look at kafka.tls.cert_file.$/)
  })
})

describe('a connection that cannot be trusted is none, and the error says why:', () => {
  const why = async (options: Partial<KafkaLogOptions>, brokers = broker.byPassword): Promise<string> => {
    const { code, message } = await failure(open(options, brokers))
    expect(code).toBe('OBS_LOG_UNAVAILABLE')
    return message
  }

  testNeeding(missing, 'the broker shows a certificate that nobody we trust has signed', async () => {
    const { sasl } = security()
    for (const tls of [{ ca: makeCertificate().ca }, {}])
      expect(await why({ tls, sasl: sasl! })).toMatch(
        /its certificate is not trusted \(self-signed certificate\); look at kafka.tls.ca_file.$/,
      )
  })

  testNeeding(missing, 'the certificate is for another name', async () => {
    const { sasl } = security()
    expect(await why({ tls: { ca: broker.ca, servername: 'kafka.example' }, sasl: sasl! })).toMatch(
      /another name \(.*kafka\.example.*\); look at kafka.tls.server_name.$/,
    )
  })

  testNeeding(missing, 'we speak no TLS where the broker does', async () => {
    expect(await why({})).toContain(broker.byPassword[0])
  })
})

describe('who is let in', () => {
  const asStranger = () => open(security({ mechanism: 'plain', ...STRANGER }))
  const allow = (resourceType: AclResourceTypes, resourceName: string, operation: AclOperationTypes) =>
    broker.admin.createAcls({
      acl: [
        {
          ...{ resourceType, resourceName, operation, principal: `User:${STRANGER.username}`, host: '*' },
          ...{ resourcePatternType: ResourcePatternTypes.LITERAL, permissionType: AclPermissionTypes.ALLOW },
        },
      ],
    })

  testNeeding(missing, 'does only what he may, and is told what he may not', async () => {
    await log.append(plain.name, 0, recordsOf('a'))
    const stranger = await asStranger()
    expect(await failure(stranger.offsets(plain.name))).toMatchObject({
      code: 'OBS_LOG_ACCESS_DENIED',
      message: expect.stringContaining(plain.name),
    })
    expect(await failure(stranger.topics.apply([freshTopics().wide]))).toMatchObject({ code: 'OBS_LOG_ACCESS_DENIED' })

    await allow(AclResourceTypes.TOPIC, `${prefix}${plain.name}`, AclOperationTypes.READ)
    await eventually(() => stranger.offsets(plain.name).catch(() => undefined))
    const end = await endOf(stranger, plain)
    expect(await read(stranger, plain, end - 1, end)).toBe(`${end - 1}:a`)
    expect(await failure(stranger.append(plain.name, 0, recordsOf('b')))).toMatchObject({
      code: 'OBS_LOG_ACCESS_DENIED',
      message: expect.stringContaining('may not be written'),
    })
    const subscribed = stranger.subscribe('reader', plain.name, new Recorder()).then(({ ended }) => ended)
    expect(await failure(subscribed)).toMatchObject({ code: 'OBS_LOG_ACCESS_DENIED' })
  })
})

describe('commands', () => {
  let cwd: string

  /** With the desk's certificate and a user; `obstream.yaml` holds no secret. */
  async function desk(username: string, password: string, ca = broker.ca): Promise<Readonly<Record<string, string>>> {
    const { registryUrl } = await sharedKafka()
    cwd = freshDesk(
      `${VALID_MAIN}log: kafka://${broker.byPassword[0]}/${prefix.slice(0, -1)}\npartitions: 1
kafka: {connect_timeout: 2s, tls: {enabled: true, ca_file: secrets/ca.pem}, sasl: {mechanism: plain}}
registry: {url: "${registryUrl}"}\npage: {bind: "127.0.0.1:0"}\n`,
    )
    putFile(cwd, 'secrets/ca.pem', ca)
    return { OBS_KAFKA_USERNAME: username, OBS_KAFKA_PASSWORD: password }
  }

  function expectNoSecret(...told: readonly string[]): void {
    for (const text of told) for (const secret of SECRETS) expect(text).not.toContain(secret)
  }

  async function apply(...who: Parameters<typeof desk>): Promise<Ended> {
    const env = await desk(...who)
    const ended = await runBin(['topics', 'apply', '--json'], { cwd, env })
    expectNoSecret(ended.stdout, ended.stderr)
    return ended
  }

  testNeeding(
    missing,
    'end with the exit code that says what is wrong: the password, the rights, the certificate',
    async () => {
      const { username, password } = CREDENTIALS
      expect(await apply(username, 'guessed')).toMatchObject({
        code: exitCodes.configuration,
        stderr: expect.stringContaining('OBS_LOG_ACCESS_DENIED'),
      })
      expect(await apply(STRANGER.username, STRANGER.password)).toMatchObject({
        code: exitCodes.configuration,
        stderr: expect.stringContaining('OBS_LOG_ACCESS_DENIED'),
      })
      expect(await apply(username, password, makeCertificate().ca)).toMatchObject({
        code: exitCodes.unavailable,
        stderr: expect.stringContaining('its certificate is not trusted'),
      })
      expect(await apply(username, password)).toMatchObject({ code: 0 })
    },
    60_000,
  )

  testNeeding(
    missing,
    'that run tell no secret: not in their logs, their pages, their arguments and their title',
    async () => {
      await log.topics.apply(catalogue)
      const env = await desk(CREDENTIALS.username, CREDENTIALS.password)
      const child = startBin(['serve', 'rollup'], { cwd, env })
      let told = ''
      for (const stream of [child.stdout!, child.stderr!])
        stream.setEncoding('utf8').on('data', (text: string) => {
          told += text
        })
      try {
        const url = await eventually(() => /(http:\S+)\/readyz/.exec(told)?.[1], 30_000)
        await eventually(async () => (await fetch(`${url}/readyz`)).ok, 30_000)
        const pages = await Promise.all(
          ['readyz', 'metrics', 'version', 'livez'].map(async (page) => (await fetch(`${url}/${page}`)).text()),
        )
        const process = ['cmdline', 'comm', 'status'].map((file) => readFileSync(`/proc/${child.pid}/${file}`, 'utf8'))
        expectNoSecret(told, ...pages, ...process)
      } finally {
        child.kill('SIGKILL')
      }
    },
    60_000,
  )
})

testNeeding(
  missing,
  'who has been let in says again who he is before the broker forgets it: no append is lost to that',
  async () => {
    await eventually(() => performance.now() - openedAtMs > SESSION_MS, SESSION_MS + 1_000)
    const { baseOffset } = await log.append(plain.name, 0, recordsOf('z'))
    expect(await read(log, plain, baseOffset, baseOffset + 1)).toBe(`${baseOffset}:z`)
  },
  30_000,
)
