import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type MissingPeer, type PeerRun, sortedLines } from './peer.ts'

const SYSTEM = '/usr/lib/postgresql'

const SETTINGS = {
  listen_addresses: '',
  shared_buffers: '2GB',
  work_mem: '1GB',
  maintenance_work_mem: '1GB',
  max_wal_size: '8GB',
  fsync: 'off',
  jit: 'off',
}

const QUERY = `
SELECT source, scheduled_at / 3600000, count(latency_ms),
       count(*) FILTER (WHERE outcome IN ('error', 'timeout')),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_ms),
       percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms),
       max(latency_ms)
FROM (SELECT DISTINCT source, scheduled_at, ordinal, outcome, latency_ms FROM samples) AS once
GROUP BY 1, 2`

/**
 * Runs PostgreSQL over the samples, in a cluster of its own that listens on a socket in `folder` only and is gone
 * afterwards. The samples are copied in, unlogged and analysed, before the time is taken.
 */
export function runPostgres(folder: string, csvPath: string): PeerRun | MissingPeer {
  const [version] = existsSync(SYSTEM) ? readdirSync(SYSTEM).toSorted().toReversed() : []
  if (version === undefined) return { name: 'PostgreSQL', missing: '`apt-get install postgresql-15`' }
  const cluster = new Cluster(join(SYSTEM, version, 'bin'), join(folder, 'postgres'))
  cluster.start()
  try {
    cluster.psql(
      'CREATE UNLOGGED TABLE samples (source text, scheduled_at bigint, ordinal int, outcome text, latency_ms int)',
    )
    cluster.psql(`\\copy samples FROM '${csvPath}' (FORMAT csv, HEADER true)`)
    cluster.psql('VACUUM ANALYZE samples')
    const result = join(folder, 'postgres.csv')
    const startedAt = performance.now()
    cluster.psql(QUERY, ['-A', '-t', '-F', ',', '-o', result])
    const seconds = (performance.now() - startedAt) / 1000
    const lines = sortedLines(readFileSync(result, 'utf8'))
    return { name: `PostgreSQL ${version}`, seconds, cpuSeconds: null, peakRssMiB: null, lines }
  } finally {
    cluster.stop()
  }
}

class Cluster {
  readonly #bin: string
  readonly #folder: string
  readonly #owner: string | undefined

  constructor(bin: string, folder: string) {
    this.#bin = bin
    this.#folder = folder
    // PostgreSQL refuses to run as root.
    this.#owner = process.getuid?.() === 0 ? 'postgres' : undefined
    mkdirSync(folder)
    if (this.#owner === undefined) return
    const id = (flag: string): number => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout)
    chownSync(folder, id('-u'), id('-g'))
    chmodSync(join(folder, '..'), 0o755)
  }

  start(): void {
    const data = join(this.#folder, 'data')
    const settings = Object.entries(SETTINGS).map(([name, value]) => `-c ${name}='${value}'`)
    this.#run('initdb', ['-D', data, '-A', 'trust', '-U', 'bench', '--locale=C', '-E', 'UTF8'])
    const options = [`-c unix_socket_directories='${this.#folder}'`, ...settings].join(' ')
    this.#run('pg_ctl', ['-D', data, '-w', '-l', join(this.#folder, 'server.txt'), '-o', options, 'start'])
  }

  stop(): void {
    this.#run('pg_ctl', ['-D', join(this.#folder, 'data'), '-w', '-m', 'immediate', 'stop'])
  }

  psql(command: string, flags: readonly string[] = []): void {
    const at = ['-X', '-q', '-h', this.#folder, '-U', 'bench', '-d', 'postgres']
    check('psql', spawnSync(join(this.#bin, 'psql'), [...at, ...flags, '-c', command], { encoding: 'utf8' }))
  }

  #run(program: string, args: readonly string[]): void {
    const path = join(this.#bin, program)
    const [command, ...rest] =
      this.#owner === undefined ? [path, ...args] : ['runuser', '-u', this.#owner, '--', path, ...args]
    check(
      program,
      spawnSync(command!, rest, { encoding: 'utf8', cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'] }),
    )
  }
}

function check(program: string, { status, stderr, error }: SpawnSyncReturns<string>): void {
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${error?.message ?? stderr}`)
}
