import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import {
  GenericContainer,
  getContainerRuntimeClient,
  PullPolicy,
  type StartedTestContainer,
  Wait,
} from 'testcontainers'
import type { StartableServer } from '#tools/kafka/cluster.ts'

export interface DockerServerOptions {
  /** For messages: `broker 1`. */
  readonly name: string
  /** Must be on this machine: nothing is pulled. */
  readonly image: string
  readonly variables: Readonly<Record<string, string>>
  /** Content by path in the container. */
  readonly files: Readonly<Record<string, string>>
  /** It serves when it prints this. */
  readonly readyWhen: RegExp
}

/** How many of the last lines a failure shows. */
const LINES_KEPT = 30
const DEADLINE_MS = 120_000

/** Names the containers of this process. */
const OWNER = `obstream.owner=${randomUUID()}`

/** Servers listen on this machine itself; without a word, an engine in a container is looked for behind a bridge. */
process.env['TESTCONTAINERS_HOST_OVERRIDE'] ??= '127.0.0.1'

let watch: ChildProcess | undefined

/** A shell that outlives this process, however that ends, and then removes its containers. */
function watchOverContainers(): void {
  const remove = `cat; docker ps --all --quiet --filter label=${OWNER} | xargs -r docker rm --force --volumes`
  watch ??= spawn('sh', ['-c', remove], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  watch.unref()
}

/** One server in a container on the host's network, started, stopped and started again with its data. */
export class DockerServer implements StartableServer {
  readonly #options: DockerServerOptions
  #lines: string[] = []
  #container: StartedTestContainer | undefined
  #pid: number | undefined

  constructor(options: DockerServerOptions) {
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#pid
  }

  async start(): Promise<void> {
    const { image, variables, files, readyWhen } = this.#options
    const [label, owner] = OWNER.split('=') as [string, string]
    watchOverContainers()
    await this.#orLastLines(async () => {
      this.#container = await new GenericContainer(image)
        .withPullPolicy(PullPolicy.neverPull())
        .withNetworkMode('host')
        .withAutoCleanup(false)
        .withLabels({ [label]: owner })
        .withEnvironment(variables)
        .withCopyContentToContainer(
          Object.entries(files).map(([target, content]) => ({ target, content, mode: 0o644 })),
        )
        .withWaitStrategy(Wait.forLogMessage(readyWhen))
        .withStartupTimeout(DEADLINE_MS)
        .withLogConsumer((stream) => createInterface({ input: stream }).on('line', (line) => this.#remember(line)))
        .start()
    })
    await this.#readPid()
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#pid === undefined) return
    const container = await this.#engine()
    const ended = container.wait({ condition: 'not-running' })
    await container.kill({ signal })
    await ended
    this.#pid = undefined
  }

  async pause(): Promise<void> {
    await (await this.#engine()).pause()
  }

  async resume(): Promise<void> {
    await (await this.#engine()).unpause()
  }

  async restart(): Promise<void> {
    await this.kill('SIGTERM')
    await this.#orLastLines(() => this.#started().restart())
    await this.#readPid()
  }

  /** Runs a program in the container to its end. @throws with what it printed, when it fails */
  async run(command: readonly string[]): Promise<void> {
    const { exitCode, output } = await this.#started().exec([...command])
    if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with exit code ${exitCode}:\n${output}`)
  }

  /** Ends it and deletes its data. */
  async remove(): Promise<void> {
    await this.#container?.stop()
    this.#container = undefined
    this.#pid = undefined
  }

  #started(): StartedTestContainer {
    if (this.#container === undefined) throw new Error(`${this.#options.name} was not started`)
    return this.#container
  }

  async #engine() {
    const { container } = await getContainerRuntimeClient()
    return container.getById(this.#started().getId())
  }

  async #readPid(): Promise<void> {
    this.#pid = (await (await this.#engine()).inspect()).State.Pid
  }

  #remember(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length > LINES_KEPT) this.#lines.shift()
  }

  async #orLastLines(start: () => Promise<void>): Promise<void> {
    try {
      await start()
    } catch (error) {
      const { name } = this.#options
      throw new Error(`${name} did not start (${error}); its last lines:\n${this.#lines.join('\n')}`)
    }
  }
}
