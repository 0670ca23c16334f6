import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { JavaServer } from './java-server.ts'
import { registryLibraries } from './libraries.ts'
import { freePorts } from './ports.ts'
import { type RegistryOptions, registryUrl, setCompatibility } from './registry.ts'
import type { SchemaRegistry } from './server.ts'

/**
 * Starts a schema registry (Apicurio) on this machine's Java: about 3 s and 220 MB of memory. What it knows outlives
 * a restart.
 *
 * @param place default: a temporary folder, deleted at stop, and a port that is free
 */
export async function startJvmRegistry(
  options: RegistryOptions = {},
  place?: { readonly folder: string; readonly port: number },
): Promise<SchemaRegistry> {
  const libraries = await registryLibraries()
  const folder = place?.folder ?? mkdtempSync(join(tmpdir(), 'obstream-registry-'))
  const port = place?.port ?? (await freePorts(1))[0]!
  const server = new JavaServer({
    name: 'the schema registry',
    args: registryArguments(libraries, folder, port),
    cwd: libraries,
    readyWhen: /Listening on: http/,
    deadlineMs: 90_000,
  })
  const url = registryUrl(port)
  const stop = async () => {
    await server.kill(place === undefined ? 'SIGKILL' : 'SIGTERM')
    if (place === undefined) rmSync(folder, { recursive: true, force: true })
  }
  mkdirSync(folder, { recursive: true })
  try {
    await server.start()
    await setCompatibility(url, options.compatibility ?? 'BACKWARD')
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url,
    get pid() {
      return server.pid
    },
    kill: (signal) => server.kill(signal),
    pause: async () => server.pause(),
    resume: async () => server.resume(),
    restart: async () => {
      await server.kill('SIGTERM')
      await server.start()
    },
    stop,
  }
}

function registryArguments(libraries: string, folder: string, port: number): readonly string[] {
  const jar = readdirSync(libraries).find((name) => name.endsWith('-runner.jar'))
  if (jar === undefined) throw new Error(`${libraries} holds no registry: delete it, it will be fetched again`)
  const properties = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    'quarkus.datasource.jdbc.url': `jdbc:h2:file:${join(folder, 'registry')};WRITE_DELAY=0`,
    'quarkus.log.level': 'WARN',
    'quarkus.log.category."io.quarkus".level': 'INFO',
    'quarkus.banner.enabled': false,
  }
  return [
    ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
    ...Object.entries(properties).map(([name, value]) => `-D${name}=${value}`),
    ...['-jar', join(libraries, jar)],
  ]
}
