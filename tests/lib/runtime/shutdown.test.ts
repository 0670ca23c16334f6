import { EventEmitter } from 'node:events'
import { describe, expect, test } from '@jest/globals'
import { isObstreamError } from '#lib/errors.ts'
import type { Part } from '#lib/runtime/shutdown.ts'
import { createLifecycle, handleSignals } from '#lib/runtime/shutdown.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

const newClock = (): ManualClock => new ManualClock(0)

/** A part that writes down what happens to it. */
function part(name: string, story: string[], more: Partial<Part> = {}): Part {
  return { name, start: () => void story.push(`start ${name}`), stop: () => void story.push(`stop ${name}`), ...more }
}

const never = (): Promise<void> => new Promise(() => {})

/** Lets everything that can go on go on, without time passing. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: Error) => error,
  )
}

describe('lifecycle', () => {
  test('parts start in order and stop in the reverse', async () => {
    const story: string[] = []
    const lifecycle = createLifecycle(newClock())
    for (const name of ['log', 'rollup', 'health']) lifecycle.add(part(name, story))
    await lifecycle.start()
    await lifecycle.stop()
    expect(story).toEqual(['start log', 'start rollup', 'start health', 'stop health', 'stop rollup', 'stop log'])
  })

  test('nothing runs before start, and nothing can be added after', async () => {
    const story: string[] = []
    const lifecycle = createLifecycle(newClock())
    lifecycle.add(part('log', story))
    expect(story).toEqual([])
    await lifecycle.start()
    expect(() => lifecycle.add(part('late', story))).toThrow('late')
  })

  test('stopping twice, or three times at once, stops each part once', async () => {
    const story: string[] = []
    const lifecycle = createLifecycle(newClock())
    lifecycle.add(part('log', story))
    await lifecycle.start()
    await Promise.all([lifecycle.stop(), lifecycle.stop()])
    await lifecycle.stop()
    expect(story).toEqual(['start log', 'stop log'])
  })

  test('when a part cannot start, those before it stop and its error is told', async () => {
    const story: string[] = []
    const lifecycle = createLifecycle(newClock())
    lifecycle.add(part('log', story))
    lifecycle.add(part('rollup', story, { start: () => Promise.reject(new Error('no topic')) }))
    lifecycle.add(part('health', story))
    expect((await failureOf(lifecycle.start())).message).toBe('no topic')
    expect(story).toEqual(['start log', 'stop log'])
  })

  test('a stop while parts are starting lets the one at hand start, then stops it', async () => {
    const story: string[] = []
    const opened = Promise.withResolvers<void>()
    const lifecycle = createLifecycle(newClock())
    lifecycle.add(part('log', story, { start: () => opened.promise }))
    lifecycle.add(part('rollup', story))
    const starting = lifecycle.start()
    const stopping = lifecycle.stop()
    expect(lifecycle.stopping.aborted).toBe(true)
    opened.resolve()
    await Promise.all([starting, stopping])
    expect(story).toEqual(['stop log'])
  })

  test('a part that hangs is left behind after its time, the others still stop, and the error names it', async () => {
    const story: string[] = []
    const clock = newClock()
    const lifecycle = createLifecycle(clock)
    lifecycle.add(part('log', story))
    lifecycle.add(part('probes', story, { stop: never, stopWithinMs: 5000 }))
    await lifecycle.start()
    const failure = failureOf(lifecycle.stop())
    await settle()
    clock.advance(4999)
    await settle()
    expect(story).toEqual(['start log', 'start probes'])
    clock.advance(1)
    const error = await failure
    expect(isObstreamError(error, 'OBS_RUNTIME_STOP_TIMEOUT')).toBe(true)
    expect(error.message).toContain('probes')
    expect(story).toEqual(['start log', 'start probes', 'stop log'])
  })

  test('a part that fails to stop does not keep the others from it', async () => {
    const story: string[] = []
    const lifecycle = createLifecycle(newClock())
    lifecycle.add(part('log', story))
    lifecycle.add(
      part('health', story, {
        stop: () => {
          throw new Error('socket')
        },
      }),
    )
    await lifecycle.start()
    expect((await failureOf(lifecycle.stop())).message).toBe('socket')
    expect(story).toEqual(['start log', 'start health', 'stop log'])
  })

  test('stopping what never started does nothing', async () => {
    const story: string[] = []
    const lifecycle = createLifecycle(newClock())
    lifecycle.add(part('log', story))
    await lifecycle.stop()
    await lifecycle.start()
    expect(story).toEqual([])
  })
})

describe('signals', () => {
  function listen(): {
    readonly source: EventEmitter
    readonly clock: ManualClock
    readonly story: string[]
    readonly remove: () => void
  } {
    const story: string[] = []
    const source = new EventEmitter()
    const clock = newClock()
    const remove = handleSignals({
      source,
      clock,
      stop: () => void story.push('stop'),
      endNow: (signal) => void story.push(`end ${signal}`),
    })
    return { source, clock, story, remove }
  }

  test.each(['SIGINT', 'SIGTERM'])('%s stops', (signal) => {
    const { source, story } = listen()
    source.emit(signal, signal)
    expect(story).toEqual(['stop'])
  })

  test('a second Ctrl-C ends at once', () => {
    const { source, clock, story } = listen()
    source.emit('SIGINT', 'SIGINT')
    clock.advance(1000)
    source.emit('SIGINT', 'SIGINT')
    expect(story).toEqual(['stop', 'end SIGINT'])
  })

  test('one Ctrl-C that arrives twice, by the terminal and by npm, is one', () => {
    const { source, clock, story } = listen()
    source.emit('SIGINT', 'SIGINT')
    clock.advance(20)
    source.emit('SIGINT', 'SIGINT')
    expect(story).toEqual(['stop'])
  })

  test('handlers can be taken away', () => {
    const { source, remove } = listen()
    remove()
    expect(source.eventNames()).toEqual([])
  })
})
