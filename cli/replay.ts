import type { Command } from 'commander'
import { Option } from 'commander'
import { ObstreamError } from '#lib/errors.ts'
import type { Instant } from '#lib/time.ts'
import { alertConfigFlag, instant } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface ReplayFlags {
  /** From the data directory. */
  readonly alertConfig: string
  /** Where the rebuilt files go, from the data directory; `undefined` only with `check`. */
  readonly to?: string
  readonly from?: Instant
  readonly until?: Instant
  /** Compare each artefact as recorded, live and rebuilt. */
  readonly check?: boolean
}

/** `obstream replay --to DIR`: everything folded again from the primary topics. */
export function replayCommand(program: Program, run: CommandRun<readonly [ReplayFlags]>): void {
  program.root
    .command('replay')
    .description('fold the log again, compare with what was recorded, and write the files anew; nothing is sent')
    .option('--to <dir>', 'folder for the rebuilt files, from the data directory')
    .addOption(new Option('--from <instant>', 'only jobs whose cut is not older').argParser(instant))
    .addOption(new Option('--until <instant>', 'only jobs whose cut lies before this').argParser(instant))
    .addOption(alertConfigFlag())
    .option('--check', 'rebuild each artefact at its own cut and compare; exit code 65 when one differs')
    .addHelpText(
      'after',
      examples([
        'obstream replay --to /tmp/replayed',
        'obstream replay --check',
        'obstream replay --to /tmp/june --from 2026-06-01T00:00:00Z --until 2026-07-01T00:00:00Z',
      ]),
    )
    .action(program.action(run, (command) => [replayFlags(command)]))
}

function replayFlags(command: Command): ReplayFlags {
  const flags = command.opts<ReplayFlags>()
  if (flags.to === undefined && !flags.check)
    throw new ObstreamError(
      'OBS_CLI_USAGE',
      'say where the rebuilt files go with --to <dir>, or compare only with --check',
    )
  if (flags.from !== undefined && flags.until !== undefined && flags.from >= flags.until)
    throw new ObstreamError('OBS_CLI_USAGE', '--from must lie before --until')
  return flags
}
