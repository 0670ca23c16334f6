import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ENGINE } from '#lib/plan.ts'
import type { EnvironmentVariables } from './secrets.ts'

/** Which build this is. */
export interface BuildInfo {
  readonly version: string
  /** 40 or 64 hex digits: `OBS_COMMIT_SHA`, else what is checked out; `null` when neither is known. */
  readonly commitSha: string | null
  /** Number of the folds' behaviour. */
  readonly engine: number
  readonly node: string
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SHA = /^[0-9a-f]{40}([0-9a-f]{24})?$/

export function readBuildInfo(env: EnvironmentVariables, root: string = ROOT): BuildInfo {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string }
  return {
    version,
    commitSha: shaOf(env['OBS_COMMIT_SHA']) ?? checkedOut(join(root, '.git')),
    engine: ENGINE,
    node: process.versions.node,
  }
}

function shaOf(text: string | undefined): string | null {
  const sha = text?.trim() ?? ''
  return SHA.test(sha) ? sha : null
}

/** Reads git's own files, so that no git need be installed. */
function checkedOut(git: string): string | null {
  const head = readText(join(git, 'HEAD'))
  const branch = /^ref: (refs\/[^\s]+)/.exec(head ?? '')?.[1]
  if (branch === undefined) return shaOf(head)
  const packed = readText(join(git, 'packed-refs'))?.split('\n') ?? []
  return shaOf(readText(join(git, branch))) ?? shaOf(packed.find((line) => line.endsWith(` ${branch}`))?.split(' ')[0])
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
