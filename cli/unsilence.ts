import { type AuthorFlags, alertConfigFlag, authorFlags } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface UnsilenceFlags extends AuthorFlags {
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream unsilence`: ends a silence before its time. */
export function unsilenceCommand(
  program: Program,
  run: CommandRun<readonly [silenceId: string, flags: UnsilenceFlags]>,
): void {
  const command = program.root
    .command('unsilence')
    .description('end a silence now, or one that has yet to begin')
    .argument('<silence-id>', 'as `obstream silences` names it')
  for (const flag of [...authorFlags(), alertConfigFlag()]) command.addOption(flag)
  command
    .addHelpText(
      'after',
      examples(['obstream unsilence 019ef9d4-ad80-7c4e-8f3a-0123456789ab --by mika --reason "routers are back"']),
    )
    .action(program.action(run, (self) => [self.processedArgs[0] as string, self.opts<UnsilenceFlags>()]))
}
