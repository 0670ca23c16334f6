import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { certify } from '#cli/replay/certificate.ts'
import { LatencyFiles } from '#cli/replay/latency-files.ts'
import { EVERYTHING } from '#cli/replay/range.ts'
import { type Folds, refold } from '#cli/replay/refold.ts'
import { codecOf } from '#lib/runtime/environment.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { HOUR_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { alerter } from '#services/alerter/service.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { exhibits, readExpected, replayExhibit } from './exhibit.ts'
import { RecordedDesk, scratchLog } from './recorded-desk.ts'
import { BEGINS_AT, plansOf, scenario } from './scenario.ts'
import { SelfWindingClock } from './self-winding-clock.ts'

/** Rollup as somebody might write it who does not know the laws: windows are decided when the machine's clock says so. */
const withClockInFold: Folds = [
  (env, onProgress) => {
    const rollup = rollupReading(codecOf(env, topics.sample))
    return runToEnd(
      {
        ...rollup,
        step: (board, input, context) =>
          rollup
            .step(board, input, context)
            .map((output) =>
              output.topic === topics.window
                ? { ...output, value: { ...output.value, decidedAt: Date.now() } }
                : output,
            ),
      },
      env,
      onProgress,
    )
  },
  (env) => runToEnd(alerter, env),
]

test('a clock inside of a fold is caught by the museum', async () => {
  const name = exhibits()[0]!
  const { topics: recorded } = readExpected(name)
  const { topics: planted, differences } = await replayExhibit(name, withClockInFold)
  expect(planted[topics.window.name]).toMatchObject({ count: recorded[topics.window.name]!.count })
  expect(planted[topics.window.name]!.sha256).not.toBe(recorded[topics.window.name]!.sha256)
  expect(differences).toHaveLength(20)
})

test('a clock inside of a fold is caught by replay --check, which names the facts', async () => {
  const clock = new SelfWindingClock(BEGINS_AT)
  const dataDir = mkdtempSync(join(tmpdir(), 'obstream-planted-'))
  const plans = plansOf()
  const desk = await RecordedDesk.open(clock, { dataDir, folds: withClockInFold })
  await desk.publish(plans.friday)
  await desk.play(scenario(plans, BEGINS_AT + 6 * HOUR_MS))
  const rebuilt = await refold(desk.env, scratchLog(1))
  const certificate = await certify(desk.env, rebuilt, await LatencyFiles.read(rebuilt.env), EVERYTHING)
  expect(certificate.verdict).toBe('different')
  expect(certificate.facts.differences).toContainEqual({
    topic: topics.window.name,
    key: 'tokyo_router/2026-06-26T13:00:00Z/r0',
    recorded: expect.stringMatching(/^[0-9a-f]{64}$/),
    rebuilt: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})
