import { formatInstant } from '#lib/time.ts'
import type { AckFlags } from '../ack.ts'
import type { CommandRun } from '../program.ts'
import { atDesk, noTarget, say } from './operator.ts'

/** `obstream ack`. A second acknowledgement is recorded, too; the first one counts. */
export const ack: CommandRun<readonly [string, AckFlags]> = (session, alertId, flags) =>
  atDesk(session, 'ack', flags, async (desk) => {
    const open = await desk.openAlerts()
    const alert = open.find((candidate) => candidate.alertId === alertId)
    if (!alert) {
      const present = new Map(open.map(({ alertId: id, severity, reason }) => [id, `${severity}: ${reason}`]))
      throw noTarget(`the alert ${alertId} is not open`, alertId, 'open alerts', present)
    }
    const before = (await desk.commands.standing()).acknowledgementOf(alertId)
    const commandId = await say(desk, flags, { type: 'ack', alertId })
    if (before)
      session.terminal.warn(
        `${before.by} acknowledged it before, at ${formatInstant(before.at)}: ${before.reason}; that one counts`,
      )
    session.terminal.note(`${alert.severity.toUpperCase()} ${alertId} is acknowledged by ${(before ?? flags).by}`)
    session.terminal.summary({ status: 'ok', command_id: commandId, alert_id: alertId, severity: alert.severity })
    return undefined
  })
