import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** `.<file>.<process id>-<number>.tmp` */
const TEMPORARY = /^\..+\.(\d+)-\d+\.tmp$/

let issued = 0

/** Names for files that are being written, and the removal of those that no living process writes any more. */
export class TemporaryNames {
  /** Of all stores of this process, so that one does not take another's file for a leftover. */
  static readonly #inFlight = new Set<string>()
  readonly #cleanFolders = new Set<string>()

  /** A free name in the target's folder, in use until `done`. Clears the folder of leftovers the first time. */
  async next(target: string): Promise<string> {
    await this.#clean(dirname(target))
    issued += 1
    const name = join(dirname(target), `.${basename(target)}.${process.pid}-${issued}.tmp`)
    TemporaryNames.#inFlight.add(name)
    return name
  }

  done(name: string): void {
    TemporaryNames.#inFlight.delete(name)
  }

  isOne(name: string): boolean {
    return TEMPORARY.test(name)
  }

  async #clean(folder: string): Promise<void> {
    if (this.#cleanFolders.has(folder)) return
    for (const name of await readdir(folder)) {
      const owner = TEMPORARY.exec(name)?.[1]
      if (owner !== undefined && !this.#isInUse(join(folder, name), Number(owner)))
        await rm(join(folder, name), { force: true })
    }
    this.#cleanFolders.add(folder)
  }

  #isInUse(path: string, owner: number): boolean {
    return owner === process.pid ? TemporaryNames.#inFlight.has(path) : isRunning(owner)
  }
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return true
  } catch (error) {
    return Error.isError(error) && 'code' in error && error.code === 'EPERM'
  }
}
