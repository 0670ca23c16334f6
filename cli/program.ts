import { Command, type ErrorOptions, type Option } from 'commander'
import type { ExitCode } from '#lib/errors.ts'
import { readBuildInfo } from '#lib/runtime/build-info.ts'
import { errorText } from './error-text.ts'
import { probablyMeant } from './nearest.ts'
import type { CliContext, GlobalFlags, Session } from './session.ts'
import { openSession } from './session.ts'

/** What a command does: its positional arguments first, then its flags. No exit code means 0. */
export type CommandRun<Arguments extends readonly [] | readonly unknown[]> = (
  session: Session,
  ...args: Arguments
) => Promise<ExitCode | undefined>

/** The command line under construction; each `cli/<command>.ts` adds its command. */
export interface Program {
  readonly root: Command
  /**
   * Turns a command's work into what commander calls.
   *
   * @param argumentsOf the work's arguments, read from the parsed command
   */
  action<Arguments extends readonly [] | readonly unknown[]>(
    run: CommandRun<Arguments>,
    argumentsOf: (command: Command) => Arguments,
  ): (this: Command) => Promise<void>
  /** Of the command that ran; 0 before. */
  readonly exitCode: ExitCode
}

export function createProgram(context: CliContext): Program {
  let exitCode: ExitCode = 0
  const root = new CommandWithTwins('obstream')
    .description('Watches how fast trading signals reach their router, and proves every alert from the log.')
    .version(readBuildInfo(context.env).version)
    .option('--json', 'results as JSON on stdout')
    .option('--quiet', 'no text on stderr but warnings and errors')
    .option('--log <url>', 'the event log: sqlite:<path>, memory: or kafka://… (default: `log` of the configuration)')
    .option('--registry <url>', 'the schema registry of a log on Kafka (default: `registry.url` of the configuration)')
    .option('--config <file>', 'configuration file, from the data directory (default: obstream.yaml)')
    .option('--data-dir <dir>', 'where everything is kept (default: the current folder)')
    .helpCommand('help [command]', 'explain a command')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false, helpWidth: 120 })
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      outputError: (text, write) => write(`${errorText({ message: text, code: 'OBS_CLI_USAGE' })}\n`),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride()
  root.addHelpText(
    'after',
    examples(['obstream init', 'obstream config check', 'obstream up --demo', 'obstream latency --dry-run']),
  )
  return {
    root,
    action: (run, argumentsOf) =>
      async function (this: Command) {
        const session = openSession(context, this.optsWithGlobals<GlobalFlags>())
        exitCode = (await run(session, ...argumentsOf(this))) ?? 0
      },
    get exitCode() {
      return exitCode
    },
  }
}

/** The foot of a command's help. */
export function examples(lines: readonly string[]): string {
  return `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`
}

/** A command whose every flag has an environment twin: `--data-dir` is `OBS_DATA_DIR`. */
class CommandWithTwins extends Command {
  override createCommand(name?: string): Command {
    return new CommandWithTwins(name)
  }

  /** Says besides which command's help shows what is possible. */
  override error(message: string, options?: ErrorOptions): never {
    const meant = options?.code === 'commander.excessArguments' ? this.#meantBeside() : undefined
    const helpful = meant === undefined || !this.parent ? this : this.parent
    this.showHelpAfterError(`\`${pathOf(helpful).join(' ')} --help\` shows what is possible, with examples.`)
    const better = meant && `error: unknown command '${this.args[0]}'\n(Did you mean ${meant}?)`
    return super.error(better ?? message, options)
  }

  /** The command that was meant where a default one, which has no arguments, took its name for one. */
  #meantBeside(): string | undefined {
    const [typed = ''] = this.args
    const beside = this.parent?.commands.map((command) => command.name()) ?? []
    const meant = probablyMeant(typed, beside)
    return meant && [...pathOf(this.parent!).slice(1), meant].join(' ')
  }

  override addOption(option: Option): this {
    if (option.long) option.env(`OBS_${option.long.slice(2).replaceAll('-', '_').toUpperCase()}`)
    return super.addOption(option)
  }
}

/** `obstream`, `channels`, `test`. */
function pathOf(command: Command): readonly string[] {
  return [...(command.parent ? pathOf(command.parent) : []), command.name()]
}

/**
 * Names of twins that are set and say no: `OBS_JSON=0`, `OBS_QUIET=false`, or empty ones. The parser would take their
 * mere presence for a yes.
 */
export function twinsThatSayNo(command: Command, env: CliContext['env']): readonly string[] {
  const own = command.options.filter((option) => option.envVar !== undefined && saysNo(option, env[option.envVar]))
  return [...own.map((option) => option.envVar!), ...command.commands.flatMap((child) => twinsThatSayNo(child, env))]
}

function saysNo(option: Option, value: string | undefined): boolean {
  return value === '' || (option.isBoolean() && value !== undefined && /^(0|no|false|off)$/i.test(value))
}

/** The value of a flag that was given, here or in the environment; `undefined` when only its default stands. */
export function given<Value>(command: Command, name: string): Value | undefined {
  return command.getOptionValueSource(name) === 'default'
    ? undefined
    : (command.getOptionValue(name) as Value | undefined)
}
