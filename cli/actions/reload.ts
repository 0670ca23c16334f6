import type { Config } from '#lib/config.ts'
import { isObstreamError } from '#lib/errors.ts'
import { keepFixed } from '#lib/runtime/fixed-config.ts'
import type { LoadedConfig } from '#lib/runtime/load-config.ts'
import type { RunLogger, RunningService } from '#lib/runtime/run.ts'

export interface ReloadParts {
  /** In force. */
  readonly config: Config
  /** Reads and checks everything anew. */
  readonly load: () => LoadedConfig
  /** Those that run now. */
  readonly services: () => Iterable<RunningService>
  readonly logger: RunLogger
}

/**
 * The configuration of running services, read again when somebody asks. One with faults, or that a service refuses, changes
 * nothing; what cannot change before the next start stays as it was. Both are told.
 */
export class Reloading {
  readonly #parts: ReloadParts
  #config: Config
  #isAsked = false
  #running: Promise<void> = Promise.resolve()

  constructor(parts: ReloadParts) {
    this.#parts = parts
    this.#config = parts.config
  }

  /** One after the other; what is asked while one waits is answered by it. @returns a promise of its end, never rejected */
  ask(): Promise<void> {
    if (this.#isAsked) return this.#running
    this.#isAsked = true
    this.#running = this.#running.then(() => this.#reload())
    return this.#running
  }

  async #reload(): Promise<void> {
    this.#isAsked = false
    const { load, services, logger } = this.#parts
    try {
      const { config, kept } = keepFixed(this.#config, load().config)
      for (const service of services()) await service.reload?.(config)
      this.#config = config
      logger.info({ kept }, 'the configuration was read again and is in force from the next tick on')
      if (kept.length > 0)
        logger.warn(
          { kept },
          `${kept.join(', ')}: cannot change while the services run; the new value waits for a restart`,
        )
    } catch (error) {
      if (!isObstreamError(error)) throw error
      logger.warn({ error }, `the configuration was read again and is not used, the one before stays: ${error.message}`)
    }
  }
}
