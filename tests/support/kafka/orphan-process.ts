import { startRegistry } from './provider.ts'

/** A test process that is about to be killed: starts a server, prints its process id, and waits for ever. */
const registry = await startRegistry()
process.stdout.write(`${registry.pid}\n`)
setInterval(() => {}, 60_000)
