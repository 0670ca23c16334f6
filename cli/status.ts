import { Option } from 'commander'
import { alertConfigFlag, wholeNumber } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface StatusFlags {
  /** How many are shown. */
  readonly deliveries: number
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream status`: is it healthy now, from the log alone. */
export function statusCommand(program: Program, run: CommandRun<readonly [StatusFlags]>): void {
  program.root
    .command('status')
    .description('tell what is measured, what is open, what was sent, and how far each service has come')
    .addOption(
      new Option('--deliveries <count>', 'how many of the last messages to show')
        .argParser(wholeNumber(0, 1_000))
        .default(5),
    )
    .addOption(alertConfigFlag())
    .addHelpText('after', examples(['obstream status', 'obstream status --deliveries 20 --json']))
    .action(program.action(run, (command) => [command.opts<StatusFlags>()]))
}
