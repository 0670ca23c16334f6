import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

const GIB = 2 ** 30

/** Linux counts the CPU time of processes in these, on every machine that Node runs on. */
const TICKS_A_SECOND = 100

/** What numbers were measured on, as one line. */
export function describeMachine(): string {
  const cores = availableParallelism()
  const model = cpus()[0]?.model.trim() || 'unknown CPU'
  return `${model}, ${cores} cores, ${(totalmem() / GIB).toFixed(1)} GiB memory, Linux ${release()}, Node ${process.versions.node}`
}

/**
 * How busy the machine is with other things. Numbers of a busy machine are lower than they could be.
 *
 * @returns one sentence, with the load of the last minute
 */
export function describeLoad(): string {
  const [load = 0] = loadavg()
  const isQuiet = load < 0.5
  return `Load before the start: ${load.toFixed(2)}; ${isQuiet ? 'the machine was quiet.' : 'the machine was busy with other work, so the numbers are too low.'}`
}

export interface Usage {
  /** User and system. */
  readonly cpuSeconds: number
  /** The most memory that this process ever held, in MiB. */
  readonly peakRssMiB: number
}

/** CPU seconds, user and system, that a process has used so far. @param pid of a running one, on Linux */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  return (Number(user) + Number(system)) / TICKS_A_SECOND
}

/** The most memory that a process ever held, in MiB. @param status its `/proc/<pid>/status` */
export function peakRssMiBOf(status: string): number {
  const [, peakKiB] = /^VmHWM:\s+(\d+) kB$/m.exec(status)!
  return Number(peakKiB) / 1024
}

/** What this process has used so far. */
export function readUsage(): Usage {
  const { user, system } = process.cpuUsage()
  return { cpuSeconds: (user + system) / 1e6, peakRssMiB: peakRssMiBOf(readFileSync('/proc/self/status', 'utf8')) }
}
