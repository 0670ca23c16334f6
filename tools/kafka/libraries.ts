import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const POM = fileURLToPath(new URL('pom.xml', import.meta.url))

/** Releases of Apache Kafka that the tests start; the first is the default. */
export const KAFKA_VERSIONS = ['4.1.0', '3.9.1'] as const

export type KafkaVersion = (typeof KAFKA_VERSIONS)[number]

/** Why no server can be started on this machine's Java; `undefined` when one can. */
export function javaMissing(): string | undefined {
  for (const program of ['java', 'mvn'])
    if (spawnSync(program, ['-version'], { stdio: 'ignore' }).status !== 0)
      return `${program} is not installed (apt-get install openjdk-17-jre-headless maven)`
  return undefined
}

/** The folder with the jars of that release of Apache Kafka. The first time Maven fetches 54 MB. */
export function kafkaLibraries(version: KafkaVersion): Promise<string> {
  return resolved(`kafka-${version}`, 'dependency:copy-dependencies@kafka', `-Dkafka.version=${version}`)
}

/** The folder in which the registry (Apicurio) is unpacked. The first time Maven fetches 146 MB. */
export function registryLibraries(): Promise<string> {
  return resolved('registry', 'dependency:unpack@registry')
}

/** `OBS_KAFKA_CACHE`, else `obstream` in the user's cache folder. What is in it may be deleted. */
function cacheFolder(): string {
  return process.env['OBS_KAFKA_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'obstream')
}

/** A changed pom is another folder. Two processes may resolve at once: the first one's folder stays. */
async function resolved(name: string, ...goal: readonly string[]): Promise<string> {
  const pom = createHash('sha256').update(readFileSync(POM)).digest('hex').slice(0, 8)
  const folder = join(cacheFolder(), `${name}-${pom}`)
  if (existsSync(folder)) return folder
  mkdirSync(cacheFolder(), { recursive: true })
  const fresh = mkdtempSync(`${folder}.tmp-`)
  try {
    await promisify(execFile)('mvn', ['-q', '-B', '-f', POM, ...goal, `-Dfolder=${fresh}`], { timeout: 300_000 })
    renameSync(fresh, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
  return folder
}
