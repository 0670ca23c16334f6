import { expect, test } from '@jest/globals'
import { Reloading, type ReloadParts } from '#cli/actions/reload.ts'
import type { Config } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { RunningService } from '#lib/runtime/run.ts'
import { configOf, http } from '#tests/services/sampler/desk.ts'

/** Services that only say what they are told. */
function follower(reload?: RunningService['reload']): RunningService & { readonly told: Config[] } {
  const told: Config[] = []
  const take = async (config: Config): Promise<void> => {
    await reload?.(config)
    told.push(config)
  }
  return { name: 'follower', waitsFor: null, ended: Promise.resolve(), stop: async () => {}, reload: take, told }
}

function reloading(services: readonly RunningService[], load: () => Config) {
  const lines: string[] = []
  const logger: ReloadParts['logger'] = {
    info: (_, message) => void lines.push(`info ${message}`),
    warn: (_, message) => void lines.push(`warn ${message}`),
  }
  const loaded = () => ({ config: load(), warnings: [], secrets: [] })
  return {
    lines,
    reloading: new Reloading({ config: configOf([http('a')]), load: loaded, services: () => services, logger }),
  }
}

test('every service that knows a configuration gets the new one', async () => {
  const [one, other] = [follower(), follower()]
  const fold: RunningService = { name: 'fold', waitsFor: null, ended: Promise.resolve(), stop: async () => {} }
  const next = configOf([http('b')])
  const { reloading: asked, lines } = reloading([one, fold, other], () => next)
  await asked.ask()
  expect([one.told, other.told]).toEqual([[next], [next]])
  expect(lines).toEqual([expect.stringMatching(/^info the configuration was read again and is in force/)])
})

test('what cannot change is named, also the next time', async () => {
  const service = follower()
  const { reloading: asked, lines } = reloading([service], () => ({ ...configOf([http('b')]), partitions: 3 }))
  await asked.ask()
  await asked.ask()
  expect(service.told.map(({ partitions }) => partitions)).toEqual([1, 1])
  expect(lines.filter((line) => line.startsWith('warn partitions: cannot change'))).toHaveLength(2)
})

test('one with faults reaches no service, and it says what they are', async () => {
  const service = follower()
  const { reloading: asked, lines } = reloading([service], () => {
    throw new ObstreamError('OBS_CONFIG_INVALID', 'obstream.yaml:3:5 is wrong')
  })
  await asked.ask()
  expect(service.told).toEqual([])
  expect(lines).toEqual([expect.stringMatching(/^warn .*the one before stays: obstream.yaml:3:5 is wrong$/)])
})

test('one that a service refuses is told, and the next one is tried', async () => {
  let refuses = true
  const service = follower(async () => {
    if (refuses) throw new ObstreamError('OBS_CONFIG_INVALID', 'source own reads what obstream writes')
  })
  const { reloading: asked, lines } = reloading([service], () => configOf([http('b')]))
  await asked.ask()
  refuses = false
  await asked.ask()
  expect(service.told).toHaveLength(1)
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['warn', 'info'])
})

test('what is asked while one is under way is answered once, by the files as they are then', async () => {
  const first = Promise.withResolvers<void>()
  const service = follower(() => first.promise)
  let loads = 0
  const { reloading: asked } = reloading([service], () => {
    loads++
    return configOf([http('b', { timeoutMs: loads })])
  })
  const answers = [asked.ask()]
  await Promise.resolve()
  await Promise.resolve()
  answers.push(asked.ask(), asked.ask(), asked.ask())
  first.resolve()
  await Promise.all(answers)
  expect(loads).toBe(2)
  expect(service.told).toHaveLength(2)
})
