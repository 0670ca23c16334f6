import { errorCatalogue, exitCodes } from '#lib/errors.ts'
import { markdownTable } from './markdown.ts'

const EXIT_CODE_MEANS: Readonly<Record<keyof typeof exitCodes, string>> = {
  ok: 'done; also when there was nothing to do, or another process does it',
  usage: 'the command line is wrong',
  badData: 'bad data, or a verification failed',
  missingInput: 'a file that was named is not there',
  unavailable: 'the log, the registry or an endpoint cannot be reached',
  internal: 'a fault in obstream itself',
  cannotCreate: 'a file cannot be created: permission or path',
  io: 'writing or reading failed: disk full or a failing disk',
  tryAgain: 'the same again may succeed',
  configuration: 'the configuration is wrong; nothing was started',
}

/** `docs/errors.md` */
export function errorPage(): string {
  const errors = Object.entries(errorCatalogue).map(([code, { exitCode, retryable, means }]) => [
    `\`${code}\``,
    String(exitCode),
    retryable ? 'yes' : 'no',
    means,
  ])
  const exits = Object.entries(exitCodes).map(([name, code]) => [
    String(code),
    EXIT_CODE_MEANS[name as keyof typeof exitCodes],
  ])
  return `# Errors

Written by \`npm run generate\` from \`lib/errors.ts\`.

A code never changes its meaning. "Try again" tells whether doing the same again, unchanged, may succeed.

${markdownTable([['code', 'exit code', 'try again', 'what it means, and what to do'], ...errors])}

## Exit codes

Of every command, as in \`sysexits.h\`.

${markdownTable([['exit code', 'means'], ...exits])}
`
}
