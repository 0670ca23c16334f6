import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { readBuildInfo } from '#lib/runtime/build-info.ts'
import { findProgram } from '#tests/support/find-program.ts'
import { testNeeding } from '#tests/support/required.ts'

function freshProject(): string {
  const root = mkdtempSync(join(tmpdir(), 'obstream-build-'))
  writeFileSync(join(root, 'package.json'), '{"version": "1.2.3"}')
  return root
}

testNeeding(
  findProgram('git') ? undefined : 'git is not on the PATH',
  'the commit is the one that git says, on a branch, packed, and detached',
  () => {
    const root = freshProject()
    const git = (...args: readonly string[]): string =>
      execFileSync('git', ['-C', root, '-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim()
    git('init', '-b', 'main')
    expect(readBuildInfo({}, root).commitSha).toBeNull()
    git('commit', '--allow-empty', '-m', 'one')
    expect(readBuildInfo({}, root).commitSha).toBe(git('rev-parse', 'HEAD'))
    git('pack-refs', '--all')
    expect(readBuildInfo({}, root).commitSha).toBe(git('rev-parse', 'HEAD'))
    git('checkout', '--detach')
    expect(readBuildInfo({}, root).commitSha).toBe(git('rev-parse', 'HEAD'))
  },
)

test('OBS_COMMIT_SHA goes first; without it and without git the commit is unknown', () => {
  const root = freshProject()
  expect(readBuildInfo({ OBS_COMMIT_SHA: 'b'.repeat(40) }, root)).toMatchObject({
    version: '1.2.3',
    commitSha: 'b'.repeat(40),
    node: process.versions.node,
  })
  expect(readBuildInfo({ OBS_COMMIT_SHA: 'not a commit' }, root).commitSha).toBeNull()
})
