import { readFileSync } from 'node:fs'
import { isObstreamError, ObstreamError } from '#lib/errors.ts'

export type EnvironmentVariables = Readonly<Record<string, string | undefined>>

/**
 * A secret by the name of its environment variable: the value of `NAME`, or what stands in the file that `NAME_FILE`
 * names, without the line end. An empty value is no secret.
 *
 * @throws OBS_INPUT_MISSING when the file cannot be read
 */
export function readSecret(env: EnvironmentVariables, name: string): string | undefined {
  const value = env[name]
  if (value) return value
  const path = env[`${name}_FILE`]
  if (!path) return undefined
  try {
    return readFileSync(path, 'utf8').trimEnd() || undefined
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new ObstreamError(
      'OBS_INPUT_MISSING',
      `${name}_FILE names ${path}, which cannot be read (${code}); correct the path or its permissions`,
      { cause: error },
    )
  }
}

/** The variable that holds the secret before, while one is rotated. */
export function previousVariable(variable: string): string {
  return `${variable}_PREVIOUS`
}

/** What is wrong with a secret that is needed, and what to do; `undefined`: nothing. */
export function secretProblem(env: EnvironmentVariables, variable: string): string | undefined {
  try {
    return readSecret(env, variable) === undefined
      ? `the environment variable ${variable} is not set; set it, or ${variable}_FILE to the path of a file that holds the value`
      : undefined
  } catch (error) {
    if (isObstreamError(error)) return error.message
    throw error
  }
}
