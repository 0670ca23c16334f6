import { Option } from 'commander'
import { parseMatchers } from '#lib/commands/matchers.ts'
import { refuseAllMatching } from '#lib/commands/matching.ts'
import type { Matcher } from '#lib/facts.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { type AuthorFlags, alertConfigFlag, authorFlags, duration, instant } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface SilenceFlags extends AuthorFlags {
  readonly for: Milliseconds
  /** Default: now. */
  readonly from?: Instant
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream silence`: alerts that match are not told of for a time. */
export function silenceCommand(
  program: Program,
  run: CommandRun<readonly [matchers: readonly Matcher[], flags: SilenceFlags]>,
): void {
  const command = program.root
    .command('silence')
    .description(
      'hold back what would be told of alerts that match, for a time; a resolve of what was told still goes out',
    )
    .argument(
      '<matchers...>',
      'as in Alertmanager: = != =~ !~ on source, rule, severity, about (breach, no_data), alert_id or a label of the source; all of them must fit',
    )
    .addOption(
      new Option('--for <duration>', 'how long, such as 15m, 4h or 2d').argParser(duration).makeOptionMandatory(),
    )
    .addOption(new Option('--from <instant>', 'when it begins (default: now)').argParser(instant))
  for (const flag of [...authorFlags(), alertConfigFlag()]) command.addOption(flag)
  command
    .addHelpText(
      'after',
      examples([
        `obstream silence 'source=~"router.*"' --for 2h --by mika --reason "routers are restarted"`,
        'obstream silence source=router_demo severity=warning --for 45m --by mika --reason "known, being worked on"',
        `obstream silence 'desk="fx", about="no_data"' --from 2026-06-27T22:00:00Z --for 8h --by mika --reason "line is moved"`,
      ]),
    )
    .action(program.action(run, (self) => [matchersOf(self.processedArgs[0] as string[]), self.opts<SilenceFlags>()]))
}

/** Each argument is read by itself: what the shell has kept together belongs together. */
function matchersOf(args: readonly string[]): readonly Matcher[] {
  const matchers = args.flatMap(parseMatchers)
  refuseAllMatching(matchers, args.join(' '))
  return matchers
}
