import { resolve } from 'node:path'
import type { Clock } from '#lib/runtime/clock.ts'
import { formatFault } from '#lib/runtime/config-faults.ts'
import type { ConfigOverrides, LoadedConfig, Sends } from '#lib/runtime/load-config.ts'
import { loadConfig } from '#lib/runtime/load-config.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { createLogger } from '#lib/runtime/logger.ts'
import { handleSignals } from '#lib/runtime/shutdown.ts'
import type { Streams } from './terminal.ts'
import { Terminal } from './terminal.ts'

/** The process a command runs in. */
export interface CliContext extends Streams {
  /** What a file called `-` is read from; default: nothing comes. */
  readonly stdin?: AsyncIterable<Uint8Array | string>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly clock: Clock
}

/** Flags that every command takes. */
export interface GlobalFlags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly log?: string
  readonly registry?: string
  readonly config?: string
  readonly dataDir?: string
}

/** What one command has to work with. */
export interface Session {
  readonly flags: GlobalFlags
  readonly context: CliContext
  /** Absolute. */
  readonly dataDir: string
  readonly terminal: Terminal
  /**
   * The configuration that the flags name; its warnings are told on stderr.
   *
   * @throws ConfigError, OBS_CONFIG_NOT_FOUND
   */
  loadConfig(more?: ConfigRequest): LoadedConfig
  /**
   * Writes to stderr: JSON lines, or for people at a terminal. `--quiet` leaves out what is less than a warning.
   *
   * @param secrets to hide, besides those of every configuration that this session loads, before or after
   */
  logger(service: string, secrets?: readonly string[]): Logger
  /** Aborts at the first SIGINT or SIGTERM; a second one ends the process. */
  interrupted(): AbortSignal
  /**
   * Calls `listener` at each SIGHUP, which else ends the process, as it still does when it says that the terminal has gone.
   *
   * @returns what takes that away again
   */
  onHangup(listener: () => void): () => void
}

export interface ConfigRequest {
  readonly alertConfigPath?: string
  readonly overrides?: ConfigOverrides
  /** Whether notifications will be sent, and where; default `false`. */
  readonly sends?: Sends
  /** Whether alerts that nobody would hear of are warned of, too; default `false`. */
  readonly asksWhoIsTold?: boolean
  /** Whether warnings are told: default `true`; `false` when the same files were loaded before. */
  readonly warns?: boolean
}

export function openSession(context: CliContext, flags: GlobalFlags): Session {
  const { env, stderr, clock } = context
  const dataDir = resolve(context.cwd, flags.dataDir ?? '.')
  const terminal = new Terminal(context, { quiet: flags.quiet === true, json: flags.json === true })
  let secrets: readonly string[] = []
  return {
    flags,
    context,
    dataDir,
    terminal,
    loadConfig({ alertConfigPath, overrides, sends = false, asksWhoIsTold = false, warns = true } = {}) {
      const loaded = loadConfig({
        dataDir,
        env,
        ...(flags.config === undefined ? {} : { configPath: flags.config }),
        ...(alertConfigPath === undefined ? {} : { alertConfigPath }),
        overrides: { ...overrides, ...placesIn(flags) },
        sends,
        asksWhoIsTold,
      })
      secrets = [...new Set([...secrets, ...loaded.secrets])]
      for (const warning of warns ? loaded.warnings : []) terminal.warn(formatFault(warning))
      return loaded
    },
    logger: (service, more = []) => {
      secrets = [...new Set([...secrets, ...more])]
      return createLogger({
        service,
        clock,
        level: flags.quiet ? 'warn' : 'info',
        sink: stderr,
        secrets: () => secrets,
        ...(terminal.isInteractive ? { pretty: { colour: !env['NO_COLOR'] } } : {}),
      })
    },
    interrupted() {
      const interrupted = new AbortController()
      handleSignals({ source: process, clock, stop: () => interrupted.abort(), endNow: endProcess })
      return interrupted.signal
    },
    onHangup(listener) {
      const hear = (): void => (terminal.isGone ? void process.kill(process.pid, 'SIGTERM') : listener())
      process.on('SIGHUP', hear)
      return () => process.off('SIGHUP', hear)
    },
  }
}

/** Where log and schemas lie, as far as flags say it. */
export function placesIn({ log, registry }: GlobalFlags): ConfigOverrides {
  return { ...(log === undefined ? {} : { log }), ...(registry === undefined ? {} : { registry }) }
}

/** Ends at once, as the signal would have done without us. */
export function endProcess(signal: NodeJS.Signals): never {
  process.exit(signal === 'SIGINT' ? 130 : 143)
}
