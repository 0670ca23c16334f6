import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, expect } from '@jest/globals'
import { testNeeding } from '#tests/support/required.ts'
import { javaMissing } from '#tools/kafka/libraries.ts'
import { freePorts } from '#tools/kafka/ports.ts'

const SCRIPT = fileURLToPath(new URL('../../tools/kafka-dev.ts', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'obstream-kafka-dev-'))
const started: ChildProcess[] = []
afterEach(async () => {
  const ended = started.filter(({ exitCode }) => exitCode === null).map((child) => once(child, 'close'))
  for (const child of started) child.kill('SIGKILL')
  await Promise.all(ended)
  rmSync(folder, { recursive: true, force: true })
})

function kafkaDev(...args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [SCRIPT, '--folder', folder, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  return child
}

/** What it has printed when it waits for Ctrl-C. */
async function greeting(child: ChildProcess): Promise<string> {
  let printed = ''
  for await (const chunk of child.stdout!.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    printed += chunk
    if (printed.includes('Ctrl-C')) return printed
  }
  throw new Error(`it ended, and said: ${printed}${await text(child.stderr!)}`)
}

testNeeding(
  javaMissing(),
  'kafka:dev tells how to reach a broker and a registry, stops them on Ctrl-C, and finds their data again',
  async () => {
    const [port, registryPort] = await freePorts(2)
    const ports = ['--port', String(port), '--registry-port', String(registryPort)]
    const registry = `http://127.0.0.1:${registryPort}/apis/ccompat/v7`

    const first = kafkaDev(...ports)
    const told = await greeting(first)
    expect(told).toContain(`--log kafka://127.0.0.1:${port} --registry ${registry} `)
    expect(told).toContain(folder)
    expect(await register(registry)).toBe(200)

    await expect(greeting(kafkaDev(...ports))).rejects.toThrow(`port ${port} is taken`)

    const ended = once(first, 'close')
    first.kill('SIGINT')
    expect(await ended).toEqual([0, null])

    await greeting(kafkaDev(...ports))
    expect(await (await fetch(`${registry}/subjects`)).json()).toEqual(['s-value'])
  },
  180_000,
)

/** Registers a schema. @returns the status of the answer */
async function register(registry: string): Promise<number> {
  const response = await fetch(`${registry}/subjects/s-value/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify({ type: 'string' }) }),
  })
  return response.status
}
