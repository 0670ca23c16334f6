import { alertConfigFlag } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface SilencesFlags {
  readonly all?: boolean
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream silences`: what is held back now, and what will be. */
export function silencesCommand(program: Program, run: CommandRun<readonly [SilencesFlags]>): void {
  program.root
    .command('silences')
    .description('list the silences that are active or pending')
    .option('--all', 'the expired ones, too')
    .addOption(alertConfigFlag())
    .addHelpText('after', examples(['obstream silences', 'obstream silences --all --json']))
    .action(program.action(run, (command) => [command.opts<SilencesFlags>()]))
}
