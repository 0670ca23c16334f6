import type { RegistryConfig } from '#lib/config.ts'
import { parseDuration } from '#lib/time.ts'
import type { EnvironmentVariables } from '../secrets.ts'
import { readSecret, secretProblem } from '../secrets.ts'
import { formats } from './formats.ts'
import { absolutePath } from './paths.ts'
import { pemProblem, readPem } from './pem.ts'
import type { RawRegistry } from './raw.ts'
import type { YamlFile, YamlPath } from './yaml-file.ts'

/** @param registry that has passed its check */
export function buildRegistry(
  { url, ca_file, username_env, password_env, wait }: RawRegistry,
  dataDir: string,
  env: EnvironmentVariables,
): RegistryConfig {
  const [username, password] = [readSecret(env, username_env), readSecret(env, password_env)]
  return {
    url: url!.replace(/\/+$/, ''),
    ca: ca_file === null ? null : readPem(absolutePath(dataDir, ca_file)),
    credentials: username !== undefined && password !== undefined ? { username, password } : null,
    waitMs: parseDuration(wait)!,
  }
}

/** What stands in for the configuration where a command needs none. */
export function plainRegistry(url: string, env: EnvironmentVariables): RegistryConfig {
  const [username_env, password_env] = ['OBS_REGISTRY_USERNAME', 'OBS_REGISTRY_PASSWORD']
  return buildRegistry({ url, ca_file: null, username_env, password_env, wait: '60s' }, '.', env)
}

type Report = (path: YamlPath, value: unknown, message: string) => void

/** No address, one that is none, a certificate that cannot be used, a user without a password. */
export function checkRegistry(
  registry: RawRegistry,
  place: { readonly dataDir: string; readonly env: EnvironmentVariables; readonly mainFile: YamlFile },
  report: Report,
): void {
  checkUrl(registry, report)
  if (registry.ca_file !== null) {
    const problem = registry.url?.startsWith('http:')
      ? 'nothing is encrypted on the way to an http:// address; write https:// in registry.url, or leave this out'
      : pemProblem(absolutePath(place.dataDir, registry.ca_file))
    if (problem) report(['registry', 'ca_file'], registry.ca_file, problem)
  }
  checkCredentials(registry, place, report)
}

const { accepts: isHttpUrl, wants } = formats['http-url']!

function checkUrl({ url }: RawRegistry, report: Report): void {
  if (url === null)
    report(
      ['registry', 'url'],
      undefined,
      'a log on Kafka keeps its schemas in a schema registry; write its address, e.g. url: http://127.0.0.1:8081, or give --registry',
    )
  else if (!isHttpUrl(url)) report(['registry', 'url'], url, `--registry (OBS_REGISTRY) takes ${wants}`)
}

/** Both or none; a variable that the file names must be set. */
function checkCredentials(
  registry: RawRegistry,
  { env, mainFile }: { readonly env: EnvironmentVariables; readonly mainFile: YamlFile },
  report: Report,
): void {
  const keys = ['username_env', 'password_env'] as const
  const problems = keys.map((key) => secretProblem(env, registry[key]))
  const isAsked = problems.includes(undefined) || keys.some((key) => mainFile.has(['registry', key]))
  for (const [index, key] of keys.entries())
    if (isAsked && problems[index]) report(['registry', key], registry[key], problems[index])
}
