import { alertConfigFlag, type OptionalAuthorFlags, optionalAuthorFlags } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface DeliverFlags extends OptionalAuthorFlags {
  /** Only messages to this one; default: all. */
  readonly channel?: string
  readonly force?: boolean
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream deliver`: sends again, by hand, what was decided. */
export function deliverCommand(
  program: Program,
  run: CommandRun<readonly [idOrFile: string, flags: DeliverFlags]>,
): void {
  const command = program.root
    .command('deliver')
    .description('send a message again, the same bytes under the same id, or those of a dry run')
    .argument(
      '<id-or-file>',
      'msg_… as `obstream status` and `explain` show it, or a file of --dry-run-alert, from the data directory',
    )
    .option('--channel <name>', 'only what goes to this channel')
    .option('--force', 'even if it was accepted, or something newer about its alert was')
  for (const flag of [...optionalAuthorFlags('sent again by hand'), alertConfigFlag()]) command.addOption(flag)
  command
    .addHelpText(
      'after',
      examples([
        'obstream deliver msg_0123456789abcdef0123456789abcdef --by mika --reason "the receiver is back"',
        'obstream deliver out/latency_alerts/20260627T230000Z-latency.json --channel ops',
      ]),
    )
    .action(program.action(run, (self) => [self.processedArgs[0] as string, self.opts<DeliverFlags>()]))
}
