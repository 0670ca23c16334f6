import { Option } from 'commander'
import type { Instant } from '#lib/time.ts'
import { instant } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface VerifyMessageFlags {
  /** From the data directory, as `body` is; one of them may be `-`, stdin. */
  readonly headers: string
  readonly body: string
  readonly secretEnv: string
  /** Default: what `secretEnv` says with `_PREVIOUS` behind it, if that is set. */
  readonly previousSecretEnv?: string
  /** Default: now. */
  readonly at?: Instant
}

/** `obstream verify message`: is it ours, as a receiver has to ask. */
export function verifyCommand(program: Program, runMessage: CommandRun<readonly [VerifyMessageFlags]>): void {
  const verify = program.root
    .command('verify')
    .description('check what is said to come from obstream')
    .addHelpText('after', examples(['obstream verify message --headers headers.txt --body body.json']))
  verify
    .command('message')
    .description('check the signature of a message as a receiver should; exit code 65 if it is not right')
    .addOption(
      new Option(
        '--headers <file>',
        'its headers: lines `name: value`, after a request line or without one, or a JSON object; from the data directory, - for stdin',
      ).makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--body <file>',
        'its body, byte for byte as it came; from the data directory, - for stdin',
      ).makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--secret-env <name>',
        'variable that holds the secret, or with _FILE behind it names its file',
      ).default('OBS_WEBHOOK_SECRET'),
    )
    .option(
      '--previous-secret-env <name>',
      'the same for the secret before, while it is rotated (default: that name with _PREVIOUS behind it, if it is set)',
    )
    .addOption(new Option('--at <instant>', 'when the message came (default: now)').argParser(instant))
    .addHelpText(
      'after',
      examples([
        'obstream verify message --headers headers.txt --body body.json',
        'obstream verify message --headers headers.txt --body - < body.json',
        'obstream verify message --headers headers.json --body body.json --at 2026-06-27T23:10:04Z',
        'obstream verify message --headers headers.txt --body body.json --secret-env DESK_SECRET --previous-secret-env DESK_SECRET_OLD',
      ]),
    )
    .action(program.action(runMessage, (command) => [command.opts<VerifyMessageFlags>()]))
}
