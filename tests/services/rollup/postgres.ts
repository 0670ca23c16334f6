import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A private PostgreSQL, reachable by a socket in its own folder only. */
export interface Postgres {
  readonly version: string
  /** Runs SQL, which may hold `COPY … FROM STDIN` with its rows; answers the last query's rows as fields. */
  query(sql: string): string[][]
  stop(): void
}

const PROGRAMS = ['initdb', 'pg_ctl', 'psql']

/** Why PostgreSQL cannot be started here; `undefined` when it can. */
export function postgresMissing(): string | undefined {
  const absent = PROGRAMS.filter((program) => spawnSync(program, ['--version']).status !== 0)
  if (absent.length > 0) return `PostgreSQL is not installed: no ${absent.join(', ')}`
  if (process.getuid?.() === 0 && !unprivileged())
    return 'PostgreSQL does not run as root, and there is no user postgres'
  return undefined
}

/** Whom PostgreSQL runs as when we are root. */
function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout || Number.NaN),
  )
  return Number.isInteger(uid) && Number.isInteger(gid) ? { uid: uid!, gid: gid! } : undefined
}

export function startPostgres(): Postgres {
  const folder = mkdtempSync(join(tmpdir(), 'obstream-postgres-'))
  const as = process.getuid?.() === 0 ? unprivileged()! : {}
  if ('uid' in as) chownSync(folder, as.uid, as.gid)
  const data = join(folder, 'data')
  const run = (program: string, args: readonly string[], input?: string): string =>
    execFileSync(program, args, {
      ...as,
      cwd: folder,
      encoding: 'utf8',
      input: input ?? '',
      stdio: ['pipe', 'pipe', 'pipe'],
      maxBuffer: 2 ** 28,
    })
  run('initdb', [
    '--pgdata',
    data,
    '--auth',
    'trust',
    '--username',
    'test',
    '--no-sync',
    '--encoding',
    'UTF8',
    '--locale',
    'C',
  ])
  run('pg_ctl', [
    '--pgdata',
    data,
    '--wait',
    '--log',
    join(folder, 'log'),
    '--options',
    `-F -k ${folder} -c listen_addresses=`,
    'start',
  ])
  const psql = [
    '--host',
    folder,
    '--username',
    'test',
    '--dbname',
    'postgres',
    '--no-psqlrc',
    '--quiet',
    '--tuples-only',
    '--no-align',
  ]
  const query = (sql: string): string[][] =>
    run('psql', [...psql, '--set', 'ON_ERROR_STOP=1'], sql)
      .trimEnd()
      .split('\n')
      .map((row) => row.split('|'))
  return {
    version: query('SHOW server_version;')[0]![0]!,
    query,
    stop() {
      run('pg_ctl', ['--pgdata', data, '--wait', '--mode', 'immediate', 'stop'])
      rmSync(folder, { recursive: true })
    },
  }
}
