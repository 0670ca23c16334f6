import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { type RunningService, runService } from '#lib/runtime/run.ts'
import { topics } from '#lib/topics.ts'
import { alerter } from '#services/alerter/service.ts'
import { rollupReading } from '#services/rollup/service.ts'

/** One process of a desk, as far as the log can tell: rollup and alerter with connections of their own. */
interface Replica {
  readonly env: Environment
  readonly services: readonly RunningService[]
}

/** Replicas of the services that fold. They share the partitions of a log that shares them out. */
export class Replicas {
  readonly #open: () => Promise<Environment>
  readonly #running: Replica[] = []

  private constructor(open: () => Promise<Environment>) {
    this.#open = open
  }

  /** @param open the environment of one more replica */
  static async start(count: number, open: () => Promise<Environment>): Promise<Replicas> {
    const replicas = new Replicas(open)
    for (let i = 0; i < count; i++) await replicas.#add()
    return replicas
  }

  /** A new one comes, then the oldest leaves. */
  async replaceOldest(): Promise<void> {
    await this.#add()
    await stopReplica(this.#running.shift()!)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map(stopReplica))
  }

  async #add(): Promise<void> {
    const env = await this.#open()
    const rollup = rollupReading(codecOf(env, topics.sample))
    this.#running.push({ env, services: [await runService(rollup, env), await runService(alerter, env)] })
  }
}

async function stopReplica({ env, services }: Replica): Promise<void> {
  await Promise.all(services.map((service) => service.stop()))
  await env.close()
}
