import type { ErrorCode } from '#lib/errors.ts'

/** A message with its code, for people: at the end of the first line, since a list may follow. */
export function errorText({ message, code }: { readonly message: string; readonly code: ErrorCode }): string {
  const [first, ...rest] = message.trimEnd().split('\n')
  return [`${first} [${code}]`, ...rest].join('\n')
}
