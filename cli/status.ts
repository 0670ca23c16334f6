import { alertConfigFlag } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface StatusFlags {
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream status`: is it healthy now, from the log alone. */
export function statusCommand(program: Program, run: CommandRun<readonly [StatusFlags]>): void {
  program.root
    .command('status')
    .description('tell what is measured, what is open, and how far each service has come')
    .addOption(alertConfigFlag())
    .addHelpText('after', examples(['obstream status', 'obstream status --json']))
    .action(program.action(run, (command) => [command.opts<StatusFlags>()]))
}
