import { expect, test } from '@jest/globals'
import { openAlerts, readOpenAlerts } from '#lib/alerts/open-alerts.ts'
import type { Alert } from '#lib/facts.ts'
import { Scene } from '#tests/services/exporter/scene.ts'

const transition = (alertId: string, sequence: number, kind: Alert['kind'], openedAt = 0): Alert => ({
  ...{ alertId, sequence, kind, about: 'breach', severity: 'warning', ruleId: 'p95', source: 'a', decidedAt: sequence },
  ...{ eventAt: 0, openedAt, reason: `${kind} ${sequence}`, streak: 1, thresholdMs: 1, plan: 'p', evidence: [] },
})

test('an alert is open until it is resolved, in whichever order its transitions come', () => {
  const story = [transition('a', 0, 'opened'), transition('a', 1, 'escalated'), transition('a', 2, 'resolved')]
  expect(openAlerts(story.slice(0, 2).toReversed())).toEqual([story[1]])
  expect(openAlerts(story.toReversed())).toEqual([])
})

test('an annotation neither opens nor closes, nor is it the newest word', () => {
  const story = [transition('a', 0, 'opened'), transition('a', 1, 'annotated'), transition('b', 1, 'annotated')]
  expect(openAlerts(story).map(({ reason }) => reason)).toEqual(['opened 0'])
})

test('they come in the order in which they were opened, those of one instant by id', () => {
  const story = [transition('c', 0, 'opened', 1), transition('b', 0, 'opened', 2), transition('a', 0, 'opened', 2)]
  expect(openAlerts(story).map(({ alertId }) => alertId)).toEqual(['c', 'a', 'b'])
})

test('they are read from the log', async () => {
  const scene = await Scene.open()
  await scene.alert('a', '2026-06-27T10:00:00Z', 'opened')
  await scene.alert('b', '2026-06-27T10:00:00Z', 'opened')
  await scene.alert('a', '2026-06-27T11:00:00Z', 'resolved', 1)
  expect((await readOpenAlerts(scene.log, scene.codecs.alert)).map(({ alertId }) => alertId)).toEqual(['b'])
})
