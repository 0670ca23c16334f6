import { alertConfigFlag } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface ExplainFlags {
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream explain <alert-id>`: one alert from the windows it rests on to what people were told. */
export function explainCommand(program: Program, run: CommandRun<readonly [string, ExplainFlags]>): void {
  program.root
    .command('explain')
    .description('tell of one alert what was decided, from which windows, why not earlier, and what was sent to whom')
    .argument(
      '<alert-id>',
      'as `obstream status`, a message or `obstream tail alert` shows it; also the evidence link, the dedup key of PagerDuty, or the key of a transition',
    )
    .addOption(alertConfigFlag())
    .addHelpText(
      'after',
      examples([
        'obstream explain breach/latency_p95/router_demo/2026-06-27T20:00:00Z',
        'obstream explain --json no_data/latency_p95/router_demo/gap/2026-06-27T20:15:00Z',
      ]),
    )
    .action(program.action(run, (command) => [command.processedArgs[0] as string, command.opts<ExplainFlags>()]))
}
