import type { Alert } from '#lib/facts.ts'
import { type Plan, type Rule, ruleFor } from '#lib/plan.ts'
import { formatDuration } from '#lib/time.ts'
import type { Locale } from '../messages/notice-line.ts'

/** Why a transition is told, for its message: how far the count has come that the rule asks for. `3 of 3`, `連続3回`. */
export function whyTold(alert: Alert, plan: Plan, locale: Locale): string {
  const rule = ruleFor(plan, alert.source)
  if (!rule) return locale === 'ja' ? '適用されるルールがなくなりました' : 'the source has no rule any more'
  return locale === 'ja' ? japanese(alert, rule) : english(alert, rule)
}

function english({ kind, about, streak, severity }: Alert, rule: Rule): string {
  if (kind === 'reminded') return `open for longer than ${formatDuration(rule.reminderMs)}`
  if (kind === 'annotated') return 'a late sample changed a window of this alert'
  if (kind === 'resolved') return about === 'breach' && streak > 0 ? `${streak} of ${rule.resolveAfter}` : 'its end'
  if (about === 'no_data') return severity === 'critical' ? 'silent for a second time' : 'silent'
  return `${streak} of ${neededFor(severity, rule)}`
}

function japanese({ kind, about, streak, severity }: Alert, rule: Rule): string {
  if (kind === 'reminded') return `${formatDuration(rule.reminderMs)}を超えて継続`
  if (kind === 'annotated') return '遅着サンプルによる訂正'
  if (kind === 'resolved') return about === 'breach' && streak > 0 ? `正常連続${streak}回` : '終了'
  if (about === 'no_data') return severity === 'critical' ? '2度目の欠測' : '欠測'
  return `連続${streak}回`
}

function neededFor(severity: Alert['severity'], { warningAfter, criticalAfter }: Rule): number {
  return severity === 'critical' ? criticalAfter : warningAfter
}
