import { parseMatchers } from '#lib/commands/matchers.ts'
import type { Matcher } from '#lib/facts.ts'
import { alertConfigFlag } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface SilencesFlags {
  readonly all?: boolean
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream silences`: what is held back now, and what will be. */
export function silencesCommand(
  program: Program,
  run: CommandRun<readonly [filter: readonly Matcher[], flags: SilencesFlags]>,
): void {
  program.root
    .command('silences')
    .description('list the silences that are active or pending')
    .argument(
      '[matchers...]',
      'only those whose own matchers fit, as `amtool silence query` asks: source=~"router.*" finds source="router_demo"',
    )
    .option('--all', 'the expired ones, too')
    .addOption(alertConfigFlag())
    .addHelpText(
      'after',
      examples(['obstream silences', `obstream silences 'source=~"router.*"'`, 'obstream silences --all --json']),
    )
    .action(
      program.action(run, (command) => [
        (command.processedArgs[0] as string[]).flatMap(parseMatchers),
        command.opts<SilencesFlags>(),
      ]),
    )
}
