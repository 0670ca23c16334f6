import { describe, expect, test } from '@jest/globals'
import { ConfigError } from '#lib/runtime/config-faults.ts'
import { type LoadedConfig, loadConfig } from '#lib/runtime/load-config.ts'
import { freshDesk, putFile, VALID_MAIN } from '#tests/support/desk.ts'

const KAFKA = `${VALID_MAIN}log: kafka://127.0.0.1:9092\n`
const URL_KEY = 'registry: {url: "https://registry.example:8081/"}\n'

interface Given {
  readonly env?: Readonly<Record<string, string>>
  /** `--registry` or OBS_REGISTRY. */
  readonly flag?: string
  readonly files?: Readonly<Record<string, string>>
}

function load(main: string, { env = {}, flag, files = {} }: Given = {}): LoadedConfig {
  const dataDir = freshDesk(main)
  for (const [path, content] of Object.entries(files)) putFile(dataDir, path, content)
  return loadConfig({ dataDir, env, ...(flag === undefined ? {} : { overrides: { registry: flag } }) })
}

/** Each fault as `key: message`. */
function faultsOf(main: string, given: Given = {}): readonly string[] {
  try {
    load(main, given)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults.map(({ key, value, message }) => `${key}${value === '' ? '' : ` = ${value}`}: ${message}`)
  }
}

const registryOf = (main: string, given: Given = {}) => load(main, given).config.registry

describe('a log on Kafka', () => {
  test('needs a registry, and its lack says what to write', () => {
    expect(faultsOf(KAFKA)).toEqual([expect.stringMatching(/^registry\.url: .*write its address.*--registry/)])
  })

  test('finds it by the file, and by the flag, which goes first', () => {
    const found = { url: 'https://registry.example:8081', ca: null, credentials: null, waitMs: 60_000 }
    expect(registryOf(KAFKA + URL_KEY)).toEqual(found)
    expect(registryOf(KAFKA + URL_KEY, { flag: 'http://127.0.0.1:8081' })).toEqual({
      ...found,
      url: 'http://127.0.0.1:8081',
    })
    expect(registryOf(KAFKA, { flag: 'http://127.0.0.1:8081' })?.url).toBe('http://127.0.0.1:8081')
  })

  test('takes no address with a password in it, and does not show it', () => {
    const [fault, ...others] = faultsOf(KAFKA, { flag: 'http://me:secret@127.0.0.1:8081' })
    expect(others).toEqual([])
    expect(fault).toMatch(/^registry\.url.*--registry \(OBS_REGISTRY\) takes.*without a user name or password/)
    expect(fault).not.toContain('secret@')
    expect(faultsOf(`${KAFKA}registry: {url: "http://me:secret@127.0.0.1:8081"}`)).toEqual([
      expect.not.stringContaining('secret@'),
    ])
  })
})

test('an embedded log keeps its schemas itself, whatever is said of a registry', () => {
  expect(registryOf(VALID_MAIN + URL_KEY, { flag: 'nonsense', env: { OBS_REGISTRY_USERNAME: 'me' } })).toBeNull()
})

describe('user and password', () => {
  const me = { OBS_REGISTRY_USERNAME: 'me', OBS_REGISTRY_PASSWORD: 'secret' }

  test('come from the environment, and the logger hides them', () => {
    const { config, secrets } = load(KAFKA + URL_KEY, { env: me })
    expect(config.registry?.credentials).toEqual({ username: 'me', password: 'secret' })
    expect(secrets).toEqual(expect.arrayContaining(['me', 'secret']))
  })

  test('are both set or none', () => {
    expect(faultsOf(KAFKA + URL_KEY, { env: { OBS_REGISTRY_USERNAME: 'me' } })).toEqual([
      expect.stringMatching(/^registry\.password_env.*OBS_REGISTRY_PASSWORD is not set/),
    ])
  })

  test('must be set where the file names their variables', () => {
    const main = `${KAFKA}registry: {url: "http://127.0.0.1:8081", username_env: MY_USER, password_env: MY_PASSWORD}`
    expect(faultsOf(main, { env: me })).toEqual([
      expect.stringMatching(/^registry\.username_env.*MY_USER is not set/),
      expect.stringMatching(/^registry\.password_env.*MY_PASSWORD is not set/),
    ])
    expect(registryOf(main, { env: { MY_USER: 'a', MY_PASSWORD: 'b' } })?.credentials).toEqual({
      username: 'a',
      password: 'b',
    })
  })
})

describe('certificates', () => {
  const withCa = (url: string): string => `${KAFKA}registry: {url: "${url}", ca_file: secrets/ca.pem}`
  const PEM = '-----BEGIN CERTIFICATE-----\n'

  test('are read from a file', () => {
    expect(registryOf(withCa('https://registry.example'), { files: { 'secrets/ca.pem': PEM } })?.ca).toBe(PEM)
  })

  test('that are not there, or are none, are faults', () => {
    expect(faultsOf(withCa('https://registry.example'))).toEqual([
      expect.stringMatching(/^registry\.ca_file.*cannot be read \(ENOENT\)/),
    ])
    expect(faultsOf(withCa('https://registry.example'), { files: { 'secrets/ca.pem': 'x' } })).toEqual([
      expect.stringMatching(/^registry\.ca_file.*holds no PEM/),
    ])
  })

  test('mean nothing where nothing is encrypted', () => {
    expect(faultsOf(withCa('http://registry.example'), { files: { 'secrets/ca.pem': PEM } })).toEqual([
      expect.stringMatching(/^registry\.ca_file.*write https:\/\//),
    ])
  })
})
