import { constants, copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ObstreamError } from '#lib/errors.ts'
import { DEFAULT_ALERT_CONFIG_PATH, DEFAULT_CONFIG_PATH } from '#lib/runtime/load-config.ts'
import type { Program } from './program.ts'
import { examples } from './program.ts'
import type { Session } from './session.ts'

const TEMPLATES = fileURLToPath(new URL('../configs/', import.meta.url))

/** File in the data directory ← file in `configs/`. */
const FILES = [
  { path: DEFAULT_CONFIG_PATH, template: 'obstream.yaml' },
  { path: DEFAULT_ALERT_CONFIG_PATH, template: 'observability/latency_alert.yaml' },
] as const

/** `obstream init`: a commented configuration that works as it stands, with one example source. */
export function initCommand(program: Program): void {
  program.root
    .command('init')
    .description('write a commented configuration with an example desk into the data directory')
    .option('--force', 'overwrite files that are there already')
    .addHelpText('after', examples(['obstream init', 'obstream --data-dir /srv/desk init', 'obstream init --force']))
    .action(program.action(init, (command) => [command.opts<InitFlags>()]))
}

interface InitFlags {
  readonly force?: boolean
}

async function init({ dataDir, terminal }: Session, { force = false }: InitFlags): Promise<undefined> {
  const kept = force ? [] : FILES.filter(({ path }) => existsSync(join(dataDir, path)))
  const written = FILES.filter((file) => !kept.includes(file))
  for (const { path, template } of written) copy(join(TEMPLATES, template), join(dataDir, path), force)
  for (const { path } of kept)
    terminal.warn(`${join(dataDir, path)} is there already and was not touched; --force overwrites it`)
  for (const { path } of written) terminal.note(`wrote ${join(dataDir, path)}`)
  terminal.note('next: `obstream config check`, then `obstream up`')
  terminal.summary({ written: written.map(({ path }) => path), kept: kept.map(({ path }) => path) })
}

function copy(from: string, to: string, force: boolean): void {
  try {
    mkdirSync(dirname(to), { recursive: true })
    copyFileSync(from, to, force ? 0 : constants.COPYFILE_EXCL)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new ObstreamError(
      'OBS_ARTEFACT_CANNOT_CREATE',
      `cannot write ${to} (${code}); choose another --data-dir, or correct its permissions`,
      { cause: error },
    )
  }
}
