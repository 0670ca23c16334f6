import { type AuthorFlags, alertConfigFlag, authorFlags } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface AckFlags extends AuthorFlags {
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream ack`: somebody looks after an alert. */
export function ackCommand(program: Program, run: CommandRun<readonly [alertId: string, flags: AckFlags]>): void {
  const command = program.root
    .command('ack')
    .description('acknowledge an open alert: no more reminders, and nobody else is called')
    .argument(
      '<alert-id>',
      'as `obstream status` and the message name it, or so much of it as no other open alert begins with; also the evidence link, the dedup key of PagerDuty, or the key of a transition',
    )
  for (const flag of [...authorFlags(), alertConfigFlag()]) command.addOption(flag)
  command
    .addHelpText(
      'after',
      examples([
        'obstream ack breach/latency_p95/router_demo/2026-06-27T20:00:00Z --by mika --reason "router restart under way"',
        'OBS_BY=mika obstream ack no_data/latency_p95/router_demo/gap/2026-06-27T20:30:00Z --reason "cable is out"',
      ]),
    )
    .action(program.action(run, (self) => [self.processedArgs[0] as string, self.opts<AckFlags>()]))
}
