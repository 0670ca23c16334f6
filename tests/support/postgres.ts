import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A PostgreSQL server of the test's own, on a socket in a temporary folder; nothing listens on the network. */
export interface Postgres {
  /** Runs SQL with `input` as its standard input (for `\copy … from stdin`); rows come back as cells of text. */
  query(sql: string, input?: string): readonly (readonly string[])[]
  stop(): void
}

/** Newest installed server; `undefined` when there is none. */
function programs(): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root) : []
  return versions
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(root, version, 'bin'))
    .find((folder) => existsSync(join(folder, 'postgres')))
}

/** Why no server can be started here; `undefined` when one can. */
export function postgresMissing(): string | undefined {
  if (programs() === undefined) return 'PostgreSQL is not installed (apt-get install postgresql)'
  if (process.getuid?.() !== 0) return 'starting PostgreSQL as its own user needs root'
  return undefined
}

export function startPostgres(): Postgres {
  const bin = programs()!
  const folder = mkdtempSync(join(tmpdir(), 'obstream-postgres-'))
  chmodSync(folder, 0o777)
  const data = join(folder, 'data')
  const asPostgres = (program: string, args: readonly string[], input = ''): string =>
    execFileSync('runuser', ['-u', 'postgres', '--', join(bin, program), ...args], {
      encoding: 'utf8',
      input,
      maxBuffer: 1 << 28,
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  asPostgres('initdb', ['-D', data, '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C'])
  const options = `-c listen_addresses='' -c unix_socket_directories='${folder}' -c fsync=off`
  asPostgres('pg_ctl', ['-D', data, '-w', '-l', join(folder, 'server.log'), '-o', options, 'start'])
  const connection = ['-h', folder, '-d', 'postgres', '-v', 'ON_ERROR_STOP=1', '-q', '-A', '-t', '-F', '\t']
  return {
    query: (sql, input) =>
      asPostgres('psql', [...connection, '-c', sql], input)
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split('\t')),
    stop() {
      asPostgres('pg_ctl', ['-D', data, '-w', '-m', 'immediate', 'stop'])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
