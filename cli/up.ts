import { alertConfigFlag } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface UpFlags {
  /** From the data directory. */
  readonly alertConfig: string
  /** Run the demo router and its configuration instead, with data under `.desk/`. */
  readonly demo?: boolean
}

/** `obstream up`: every service in this process, until Ctrl-C. */
export function upCommand(program: Program, run: CommandRun<readonly [UpFlags]>): void {
  program.root
    .command('up')
    .description('run all services in this process, until Ctrl-C')
    .option('--demo', 'watch a demo router of this process; data go to .desk/')
    .addOption(alertConfigFlag())
    .addHelpText('after', examples(['obstream up', 'obstream up --demo', 'obstream --data-dir /srv/desk up']))
    .action(program.action(run, (command) => [command.opts<UpFlags>()]))
}
