import type { Command } from 'commander'
import { Option } from 'commander'
import { alertConfigFlag, pathInside, wholeNumber } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples, given } from './program.ts'

export interface LatencyFlags {
  /** These three are `undefined` when the flag was not given: the configuration decides, then the default. */
  readonly rawRetentionDays: number | undefined
  readonly rollupRetentionDays: number | undefined
  readonly rollupOutput: string | undefined
  /** From the data directory. */
  readonly lockFile: string
  /** From the data directory. */
  readonly alertConfig: string
  readonly dryRunAlert: boolean
  readonly dryRun: boolean
  readonly jitterSeconds: number
}

/** `obstream latency`: one pass of sampling, rollup, alerts and the latency files, for cron. */
export function latencyCommand(program: Program, run: CommandRun<readonly [LatencyFlags]>): void {
  program.root
    .command('latency')
    .description('sample once, close what is due, decide alerts, write the latency files, and end')
    .addOption(
      new Option('--raw-retention-days <days>', 'delete archived sample files that are older')
        .argParser(wholeNumber(1, 3650))
        .default(14),
    )
    .addOption(
      new Option('--rollup-retention-days <days>', 'drop older rows of the rollup file')
        .argParser(wholeNumber(1, 3650))
        .default(90),
    )
    .addOption(
      new Option('--rollup-output <file>', 'the rollup file, from the data directory')
        .argParser(pathInside)
        .default('ops/signal_latency_rollup.csv'),
    )
    .option('--lock-file <file>', 'held while the command runs; another one skips', 'ops/.latency.lock')
    .addOption(alertConfigFlag())
    .option('--dry-run-alert', 'decide alerts but send none: the requests go to out/latency_alerts/<job_id>.json')
    .option(
      '--dry-run',
      'sample and fold, but keep only the record of the job: files go to out/dry-run/<job_id>/, requests to out/latency_alerts/',
    )
    .addOption(
      new Option(
        '--jitter-seconds <seconds>',
        'wait a random time up to this first, so that machines do not start together',
      )
        .argParser(wholeNumber(0, 3600))
        .default(0),
    )
    .addHelpText(
      'after',
      `${examples(['obstream latency', 'obstream latency --dry-run', 'obstream --data-dir /srv/desk latency --rollup-retention-days 30'])}
Prints one JSON object: job_id, status, samples_written, rollups_written, breach_count, next_rotation_bytes. A run that finds
another one, or the services, at work is skipped: one warning, exit code 0. A message that no receiver has taken yet ends it
with 75, one that was refused with 78; the files are written all the same.
`,
    )
    .action(program.action(run, (command) => [latencyFlags(command)]))
}

function latencyFlags(command: Command): LatencyFlags {
  const flags = command.opts<Partial<LatencyFlags>>()
  return {
    rawRetentionDays: given(command, 'rawRetentionDays'),
    rollupRetentionDays: given(command, 'rollupRetentionDays'),
    rollupOutput: given(command, 'rollupOutput'),
    lockFile: flags.lockFile!,
    alertConfig: flags.alertConfig!,
    dryRunAlert: flags.dryRunAlert ?? false,
    dryRun: flags.dryRun ?? false,
    jitterSeconds: flags.jitterSeconds!,
  }
}
