import { alertConfigFlag } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface ImportFlags {
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream import FILE`: historical samples, with the ticks that belong to them. */
export function importCommand(program: Program, run: CommandRun<readonly [string, ImportFlags]>): void {
  program.root
    .command('import')
    .description('publish the rows of a latency file in order of time, into a log that knows no later time')
    .argument(
      '<file>',
      'CSV with timestamp_utc, source, latency_ms, or ts_emit, ts_ack, status; from the data directory',
    )
    .addOption(alertConfigFlag())
    .addHelpText('after', examples(['obstream --data-dir /tmp/history import signal_latency.csv']))
    .action(program.action(run, (command) => [command.processedArgs[0] as string, command.opts<ImportFlags>()]))
}
