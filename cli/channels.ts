import { alertConfigFlag, type OptionalAuthorFlags, optionalAuthorFlags } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

export interface ChannelsFlags {
  /** From the data directory. */
  readonly alertConfig: string
}

export interface ChannelTestFlags extends ChannelsFlags, OptionalAuthorFlags {}

/** What `obstream channels …` does. */
export interface ChannelsRuns {
  readonly list: CommandRun<readonly [ChannelsFlags]>
  readonly test: CommandRun<readonly [channel: string, flags: ChannelTestFlags]>
}

/** `obstream channels list|test`: where notifications go, and whether they arrive. */
export function channelsCommand(program: Program, runs: ChannelsRuns): void {
  const channels = program.root
    .command('channels')
    .description('look after the channels that notifications go to')
    .addHelpText('after', examples(['obstream channels', 'obstream channels test ops']))
  channels
    .command('list', { isDefault: true })
    .description('list them: what they are for, and whether they are ready, lack a secret or are closed')
    .addOption(alertConfigFlag())
    .addHelpText('after', examples(['obstream channels list', 'obstream channels list --json']))
    .action(program.action(runs.list, (command) => [command.opts<ChannelsFlags>()]))
  const test = channels
    .command('test')
    .description('send a test message to a channel and tell what its receiver answers; puts a closed one back into use')
    .argument('<channel>', 'as `obstream channels` lists it')
  for (const flag of [...optionalAuthorFlags('test of the channel'), alertConfigFlag()]) test.addOption(flag)
  test
    .addHelpText(
      'after',
      examples(['obstream channels test ops', 'obstream channels test pd --by mika --reason "the key was rotated"']),
    )
    .action(program.action(runs.test, (self) => [self.processedArgs[0] as string, self.opts<ChannelTestFlags>()]))
}
