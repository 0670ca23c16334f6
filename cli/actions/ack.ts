import type { Alert } from '#lib/facts.ts'
import { formatInstant } from '#lib/time.ts'
import type { AckFlags } from '../ack.ts'
import { alertIdIn } from '../alert-name.ts'
import type { CommandRun } from '../program.ts'
import { atDesk, meantBy, noTarget, say } from './operator.ts'

/** `obstream ack`. A second acknowledgement is recorded, too; the first one counts. */
export const ack: CommandRun<readonly [string, AckFlags]> = (session, name, flags) =>
  atDesk(session, 'ack', flags, async (desk) => {
    const alert = openAlertNamed(name, await desk.openAlerts())
    const { alertId } = alert
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

/** @throws OBS_COMMAND_NO_TARGET */
function openAlertNamed(name: string, open: readonly Alert[]): Alert {
  const asked = alertIdIn(name)
  const present = new Map(open.map(({ alertId, severity, reason }) => [alertId, `${severity}: ${reason}`]))
  const meant = meantBy(asked, 'open alerts', present)
  const alert = open.find(({ alertId }) => alertId === meant)
  if (alert) return alert
  throw noTarget(`the alert ${asked} is not open`, asked, 'open alerts', present)
}
