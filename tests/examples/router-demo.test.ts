import { expect, test } from '@jest/globals'
import { answerDelayMs, startRouter } from '../../examples/router-demo/router.ts'

const THRESHOLD_MS = 150

test('the demo router answers, and really takes the time that the rhythm says', async () => {
  const router = await startRouter({ port: 0 })
  try {
    const startedAt = performance.now()
    const response = await fetch(router.url)
    expect({ status: response.status, body: await response.text() }).toEqual({ status: 200, body: 'pong\n' })
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(answerDelayMs(0, 0) - 1)
    expect((await fetch(new URL('/else', router.url))).status).toBe(404)
  } finally {
    await router.stop()
  }
})

test('a port that is taken is an error that names it', async () => {
  const router = await startRouter({ port: 0 })
  try {
    const port = Number(new URL(router.url).port)
    await expect(startRouter({ port })).rejects.toMatchObject({
      code: 'OBS_HTTP_CANNOT_LISTEN',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
  } finally {
    await router.stop()
  }
})

test('it stops while an answer is under way', async () => {
  const router = await startRouter({ port: 0 })
  const answer = fetch(router.url).catch(() => 'cut off')
  await router.stop()
  await answer
  await expect(fetch(router.url)).rejects.toThrow()
})

test.each([0, 1, 3, 5, 9])(
  'started %i s into a window, within two minutes there are three slow windows in a row and then two good ones',
  (intoWindow) => {
    const isSlow = Array.from({ length: 120 }, (_, second) => answerDelayMs(second * 1000, second) > THRESHOLD_MS)
    const windows = new Map<number, boolean>()
    for (const [second, slow] of isSlow.entries()) {
      const window = Math.floor((second + intoWindow) / 10)
      windows.set(window, (windows.get(window) ?? false) || slow)
    }
    expect([...windows.values()].map((slow) => (slow ? 'S' : '.')).join('')).toMatch(/S{3,}\.\./)
  },
)

test('slow answers are above the threshold, fast ones far enough below to recover', () => {
  for (let second = 0; second < 240; second++) {
    const delayMs = answerDelayMs(second * 1000, second)
    expect(delayMs > THRESHOLD_MS || delayMs < 0.5 * THRESHOLD_MS).toBe(true)
  }
})
