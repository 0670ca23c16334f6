import type { ExitCode } from '#lib/errors.ts'
import { ackCommand } from './ack.ts'
import { channelsCommand } from './channels.ts'
import { configCommand } from './config.ts'
import { deliverCommand } from './deliver.ts'
import { reportFailure } from './exit.ts'
import { explainCommand } from './explain.ts'
import { importCommand } from './import.ts'
import { initCommand } from './init.ts'
import { latencyCommand } from './latency.ts'
import type { Program } from './program.ts'
import { createProgram, twinsThatSayNo } from './program.ts'
import { replayCommand } from './replay.ts'
import { serveCommand } from './serve.ts'
import type { CliContext } from './session.ts'
import { silenceCommand } from './silence.ts'
import { silencesCommand } from './silences.ts'
import { statusCommand } from './status.ts'
import { tailCommand } from './tail.ts'
import { topicsCommand } from './topics.ts'
import { unsilenceCommand } from './unsilence.ts'
import { upCommand } from './up.ts'
import { verifyCommand } from './verify.ts'

/**
 * Every command, in the order of the help: set-up, services, one-shots, operators, data. What a command works with is loaded when it
 * runs, so that help and faults of the command line come at once.
 */
export function addCommands(program: Program): void {
  initCommand(program)
  configCommand(program)
  upCommand(program, async (...all) => (await import('./actions/up.ts')).up(...all))
  serveCommand(program, async (...all) => (await import('./actions/serve.ts')).serve(...all))
  latencyCommand(program, async (...all) => (await import('./actions/latency.ts')).latency(...all))
  statusCommand(program, async (...all) => (await import('./actions/status.ts')).status(...all))
  ackCommand(program, async (...all) => (await import('./actions/ack.ts')).ack(...all))
  silenceCommand(program, async (...all) => (await import('./actions/silence.ts')).silence(...all))
  unsilenceCommand(program, async (...all) => (await import('./actions/unsilence.ts')).unsilence(...all))
  silencesCommand(program, async (...all) => (await import('./actions/silences.ts')).silences(...all))
  deliverCommand(program, async (...all) => (await import('./actions/deliver.ts')).deliver(...all))
  channelsCommand(program, {
    list: async (...all) => (await import('./actions/channels.ts')).listChannels(...all),
    test: async (...all) => (await import('./actions/channels.ts')).testChannel(...all),
  })
  explainCommand(program, async (...all) => (await import('./actions/explain.ts')).explain(...all))
  verifyCommand(program, async (...all) => (await import('./actions/verify-message.ts')).verifyMessageFiles(...all))
  topicsCommand(program)
  tailCommand(program)
  importCommand(program, async (...all) => (await import('./actions/import.ts')).runImport(...all))
  replayCommand(program, async (...all) => (await import('./actions/replay.ts')).replay(...all))
}

/**
 * Runs one command to its end.
 *
 * @param args without `node` and the script
 * @returns the exit code; never throws
 */
export async function runCli(args: readonly string[], context: CliContext): Promise<ExitCode> {
  try {
    const program = createProgram(context)
    addCommands(program)
    for (const name of twinsThatSayNo(program.root, context.env)) delete process.env[name]
    await program.root.parseAsync(args, { from: 'user' })
    return program.exitCode
  } catch (error) {
    // A fault of the command line itself comes before the flags are parsed; a twin that says no is gone by now.
    return reportFailure(context, error, args.includes('--json') || context.env['OBS_JSON'] !== undefined)
  }
}
