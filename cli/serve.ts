import { Argument } from 'commander'
import { alertConfigFlag } from './flags.ts'
import type { CommandRun, Program } from './program.ts'
import { examples } from './program.ts'

/** The services that can run in a process of their own, in the order of the data flow. */
export const SERVICES = ['sampler', 'rollup', 'alerter', 'exporter'] as const

export type ServiceName = (typeof SERVICES)[number]

export interface ServeFlags {
  /** From the data directory. */
  readonly alertConfig: string
}

/** `obstream serve <service>`: one service in this process, until Ctrl-C. */
export function serveCommand(program: Program, run: CommandRun<readonly [ServiceName, ServeFlags]>): void {
  program.root
    .command('serve')
    .description('run one service in this process, until Ctrl-C')
    .addArgument(new Argument('<service>', 'which one').choices(SERVICES))
    .addOption(alertConfigFlag())
    .addHelpText('after', examples(['obstream serve sampler', 'obstream serve rollup']))
    .action(program.action(run, (command) => [command.processedArgs[0] as ServiceName, command.opts<ServeFlags>()]))
}
