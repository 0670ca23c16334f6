import { describe, expect, test } from '@jest/globals'
import type { Command } from 'commander'
import { importCommand } from '#cli/import.ts'
import { type LatencyFlags, latencyCommand } from '#cli/latency.ts'
import { createProgram, type Program } from '#cli/program.ts'
import { replayCommand } from '#cli/replay.ts'
import { addCommands, runCli } from '#cli/run-cli.ts'
import { serveCommand } from '#cli/serve.ts'
import type { CliContext } from '#cli/session.ts'
import { statusCommand } from '#cli/status.ts'
import { upCommand } from '#cli/up.ts'
import { capturedContext } from '#tests/support/captured-context.ts'

const notWired = async (): Promise<undefined> => undefined

/** Every command there is, wired or not. */
function addAll(program: Program): void {
  addCommands(program)
  const wired = new Set(program.root.commands.map((command) => command.name()))
  const others = {
    up: upCommand,
    serve: serveCommand,
    latency: latencyCommand,
    import: importCommand,
    replay: replayCommand,
    status: statusCommand,
  }
  for (const [name, add] of Object.entries(others)) if (!wired.has(name)) add(program, notWired)
}

function allCommands(context: CliContext): readonly { readonly path: readonly string[]; readonly command: Command }[] {
  const program = createProgram(context)
  addAll(program)
  const walk = (command: Command, path: readonly string[]): { path: readonly string[]; command: Command }[] => [
    { path, command },
    ...command.commands.flatMap((child) => walk(child, [...path, child.name()])),
  ]
  return walk(program.root, [])
}

const commands = allCommands(capturedContext().context).map(
  ({ path, command }) => [['obstream', ...path].join(' '), path, command] as const,
)

describe('every command', () => {
  test.each(commands)('%s explains itself on stdout, with an example that begins with its name', (_, path) => {
    const { context, stdout, stderr } = capturedContext()
    allCommands(context)
      .find((candidate) => candidate.path.join(' ') === path.join(' '))!
      .command.outputHelp()
    expect(stderr.text).toBe('')
    expect(stdout.text).toMatch(/^Usage: obstream/)
    const examples = stdout.text.slice(stdout.text.search(/^Examples?:$/m))
    expect(examples).toMatch(new RegExp(`^ {2}\\$ obstream (.* )?${path.join(' ')}`, 'm'))
  })

  test.each(commands)('%s: each flag has a description and an environment twin', (_, __, command) => {
    for (const option of command.options) {
      expect(option.description).not.toBe('')
      if (option.long !== '--version')
        expect(option.envVar).toBe(`OBS_${option.long!.slice(2).replaceAll('-', '_').toUpperCase()}`)
    }
  })

  test.each(commands.filter(([, path]) => path.length > 0))(
    '%s has a description that begins like a sentence inside of a list',
    (_, __, command) => {
      expect(command.description()).toMatch(/^[a-z].*[^.]$/)
    },
  )
})

describe('what is typed wrong ends with 64 and a hint on stderr', () => {
  test.each([
    ['an unknown command', ['topcs'], 'Did you mean topics?'],
    ['an unknown flag', ['init', '--forse'], 'Did you mean --force?'],
    ['an unknown flag of all commands', ['topics', 'list', '--jsn'], 'Did you mean --json?'],
    ['a flag without its value', ['init', '--data-dir'], 'argument missing'],
    ['no command', [], 'Usage: obstream'],
    ['a missing argument', ['tail'], "missing required argument 'topic'"],
    ['too many arguments', ['init', 'here'], 'too many arguments'],
    ['an unknown topic', ['tail', 'news'], 'There is no such topic. The catalogue has obs.'],
    ['a topic that is nearly one', ['tail', 'alerts'], 'There is no such topic; did you mean alert? The catalogue has'],
    ['a topic that is nearly one, in full', ['tail', 'obs.windows.v1'], 'did you mean obs.window.v1?'],
    [
      'a command beside a default one',
      ['channels', 'tst', 'ops'],
      "error: unknown command 'tst' [OBS_CLI_USAGE]\n(Did you mean channels test?)\n`obstream channels --help` shows",
    ],
    ['too many arguments of a default one', ['channels', 'ops'], "too many arguments for 'list'"],
    [
      'whatever it is, with its code and the help of just this command',
      ['silence', 'a=b', '--by', 'a', '--reason', 'r'],
      'not specified [OBS_CLI_USAGE]\n`obstream silence --help` shows what is possible, with examples.\n',
    ],
    ['a command below another', ['topics', 'lst'], '`obstream topics --help` shows'],
    ['an acknowledgement by nobody', ['ack', 'a', '--reason', 'r'], "required option '--by <name>' not specified"],
    ['a silence without an end', ['silence', 'a=b', '--by', 'a', '--reason', 'r'], "'--for <duration>' not specified"],
    ['a length of time that is none', ['silence', 'a=b', '--for', '2 hours'], 'such as 15m, 4h or 2d'],
    ['no length of time', ['silence', 'a=b', '--for', '0s'], 'such as 15m, 4h or 2d'],
    ['a reason that is none', ['ack', 'a', '--by', 'a', '--reason', '  '], 'Write 1 to 1000 characters on one line.'],
    ['a name of two lines', ['ack', 'a', '--by', 'a\nb', '--reason', 'r'], 'Write 1 to 200 characters on one line.'],
    [
      'a matcher that is none',
      ['silence', 'source=~"a', '--for', '1h', '--by', 'a', '--reason', 'r'],
      'character 9: the quotes are not closed; write source=~"a" [OBS_MATCHER_INVALID]',
    ],
    [
      'a silence of everything',
      ['silence', 'desk=~.*', '--for', '1h', '--by', 'a', '--reason', 'r'],
      'the matchers `desk=~.*` fit every alert without such labels; add one that',
    ],
    ['a place that is none', ['tail', 'window', '--from', 'yesterday'], '2026-06-27T23:00:00Z'],
  ])('%s', async (_, args, hint) => {
    const { context, stdout, stderr } = capturedContext()
    expect(await runCli(args, context)).toBe(64)
    expect(stderr.text).toContain(hint)
    expect(stdout.text).toBe('')
  })

  test('with --json the fault is an object on stdout', async () => {
    const { context, stdout } = capturedContext()
    expect(await runCli(['topics', 'lst', '--json'], context)).toBe(64)
    expect(JSON.parse(stdout.text)).toMatchObject({
      status: 'error',
      error_code: 'OBS_CLI_USAGE',
      error_message: expect.stringContaining('lst'),
    })
  })
})

test('--help of a command goes to stdout and ends with 0', async () => {
  const { context, stdout, stderr } = capturedContext()
  expect(await runCli(['topics', 'list', '--help'], context)).toBe(0)
  expect(stdout.text).toMatch(/^Usage: obstream topics list/)
  expect(stderr.text).toBe('')
})

describe('latency', () => {
  async function flagsOf(...args: readonly string[]): Promise<LatencyFlags> {
    const program = createProgram(capturedContext().context)
    let seen: LatencyFlags | undefined
    latencyCommand(program, async (_, flags) => {
      seen = flags
      return undefined
    })
    await program.root.parseAsync(['latency', ...args], { from: 'user' })
    return seen!
  }

  test('what is not typed is left to the configuration, or has the default of old', async () => {
    expect(await flagsOf()).toEqual({
      rawRetentionDays: undefined,
      rollupRetentionDays: undefined,
      rollupOutput: undefined,
      lockFile: 'ops/.latency.lock',
      alertConfig: 'configs/observability/latency_alert.yaml',
      dryRunAlert: false,
      dryRun: false,
      jitterSeconds: 0,
    })
  })

  test('what is typed is read', async () => {
    const args =
      '--raw-retention-days 3 --rollup-retention-days 30 --rollup-output x/y.csv --lock-file l --alert-config a.yaml --dry-run-alert --dry-run --jitter-seconds 5'
    expect(await flagsOf(...args.split(' '))).toEqual({
      rawRetentionDays: 3,
      rollupRetentionDays: 30,
      rollupOutput: 'x/y.csv',
      lockFile: 'l',
      alertConfig: 'a.yaml',
      dryRunAlert: true,
      dryRun: true,
      jitterSeconds: 5,
    })
  })

  test.each([
    ['--raw-retention-days', '0'],
    ['--raw-retention-days', '1.5'],
    ['--jitter-seconds', '-1'],
    ['--rollup-output', '../x.csv'],
    ['--rollup-output', '/etc/passwd'],
  ])('%s %s is refused', async (flag, value) => {
    await expect(flagsOf(flag, value)).rejects.toMatchObject({ code: 'commander.invalidArgument' })
  })
})

test('replay wants to know where to write, unless it only compares', async () => {
  const run = async (...args: readonly string[]): Promise<void> => {
    const program = createProgram(capturedContext().context)
    replayCommand(program, notWired)
    await program.root.parseAsync(['replay', ...args], { from: 'user' })
  }
  await expect(run()).rejects.toMatchObject({ code: 'OBS_CLI_USAGE' })
  await expect(
    run('--to', 'x', '--from', '2026-06-02T00:00:00Z', '--until', '2026-06-01T00:00:00Z'),
  ).rejects.toMatchObject({ code: 'OBS_CLI_USAGE' })
  await expect(run('--check')).resolves.toBeUndefined()
})

test('--version prints the version alone', async () => {
  const { context, stdout } = capturedContext()
  expect(await runCli(['--version'], context)).toBe(0)
  expect(stdout.text).toMatch(/^\d+\.\d+\.\d+\n$/)
})
