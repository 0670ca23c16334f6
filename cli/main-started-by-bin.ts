/**
 * `main.ts` as bin/obstream.mjs on an older Node starts it: with a channel that closes when that process ends, however it
 * ends. After a SIGKILL nobody is left to pass signals on or to wait for this command, which then ends as at SIGTERM.
 */
const endWithStarter = (): void => void process.kill(process.pid, 'SIGTERM')

process.once('disconnect', endWithStarter)
process.channel?.unref()
if (!process.connected) endWithStarter()

await import('./main.ts')
