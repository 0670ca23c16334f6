import { type AuthorFlags, alertConfigFlag, authorFlags } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface UnsilenceFlags extends AuthorFlags {
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream unsilence`: ends silences before their time. */
export function unsilenceCommand(
  program: Program,
  run: CommandRun<readonly [silences: readonly string[], flags: UnsilenceFlags]>,
): void {
  const command = program.root
    .command('unsilence')
    .description('end silences now, also ones that have yet to begin')
    .argument('<silence-ids...>', 'as `obstream silences` names them; so much of each as no other begins with')
  for (const flag of [...authorFlags(), alertConfigFlag()]) command.addOption(flag)
  command
    .addHelpText(
      'after',
      examples([
        'obstream unsilence 019ef9d4-ad80-7c4e-8f3a-0123456789ab --by mika --reason "routers are back"',
        'obstream unsilence 019ef9d4-ad80 019ef9d5 --by mika --reason "the lines are back, too"',
      ]),
    )
    .action(program.action(run, (self) => [self.processedArgs[0] as string[], self.opts<UnsilenceFlags>()]))
}
