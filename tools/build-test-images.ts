import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { kafkaImage, REGISTRY_IMAGE } from './kafka/images.ts'
import { KAFKA_VERSIONS, kafkaLibraries, registryLibraries } from './kafka/libraries.ts'

/**
 * Builds the container images that the tests start, where no registry of images can be reached: Debian from its packages
 * (`debootstrap`, as root), Kafka and the schema registry from the jars that Maven fetches. They bear the names of the public
 * images and take the same settings. Elsewhere `docker pull` does as well.
 */
const RECIPES = fileURLToPath(new URL('../tests/support/kafka/docker/', import.meta.url))
const LOG4J = fileURLToPath(new URL('kafka/log4j2.properties', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'obstream-images-'))
try {
  importDebian(join(folder, 'debian'))
  build('java', 'obstream/java:17')
  for (const version of KAFKA_VERSIONS) build('kafka', kafkaImage(version), await kafkaLibraries(version))
  build('registry', REGISTRY_IMAGE, await registryLibraries())
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function importDebian(root: string): void {
  run('debootstrap', ['--variant=minbase', 'bookworm', root])
  run('sh', ['-c', `tar --directory '${root}' --create . | docker import - obstream/debian:bookworm`])
}

/** @param libraries what the recipe copies from `libraries/` */
function build(recipe: string, image: string, libraries?: string): void {
  const context = mkdtempSync(join(folder, `${recipe}-`))
  cpSync(RECIPES, context, { recursive: true })
  cpSync(LOG4J, join(context, 'log4j2.properties'))
  if (libraries !== undefined) cpSync(libraries, join(context, 'libraries'), { recursive: true })
  const file = join(context, `${recipe}.Dockerfile`)
  run('docker', ['build', ...['--network', 'host'], '--quiet', ...['--tag', image], ...['--file', file], context])
}

/** What it prints is shown only when it fails. */
function run(program: string, args: readonly string[]): void {
  const startedAtMs = performance.now()
  execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 })
  console.log(`${((performance.now() - startedAtMs) / 1_000).toFixed(0).padStart(4)} s  ${program} ${args.at(-1)}`)
}
