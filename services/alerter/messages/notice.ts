import type { Alert } from '#lib/facts.ts'
import { localTime } from '#lib/local-time.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
import { oneLine } from './cut.ts'
import { type Locale, noticeLine } from './notice-line.ts'

/** What is told. */
export type Notice = AlertNotice | ChannelNotice | SamplerNotice | TestNotice

export interface AlertNotice {
  readonly kind: 'alert'
  readonly alert: Alert
  /** How far the count has come that the rule asks for: `3 of 3`. */
  readonly why: string
  /** Channels that are told of this transition. */
  readonly notifiedChannels: readonly string[]
  /** After the opening; `null`: nobody has, or it is not over. */
  readonly acknowledgedAfterS: number | null
  readonly resolvedAfterS: number | null
  /** What is said besides: that it flaps, that nobody acknowledged it, that another channel failed. */
  readonly note: string | null
}

/** A channel does not take messages any more; told on another one. */
export interface ChannelNotice {
  readonly kind: 'channel_failed'
  readonly channel: string
  /** `forbidden`: our own rules refuse its address. */
  readonly reason: 'gone' | 'unauthorized' | 'forbidden'
  readonly status: number | null
  readonly at: Instant
}

/** No clock tick has come for too long: nothing is measured, or nothing arrives; or they are back. */
export interface SamplerNotice {
  readonly kind: 'sampler_silent' | 'sampler_back'
  /** The last tick before the silence. */
  readonly sinceAt: Instant
  readonly at: Instant
}

export interface TestNotice {
  readonly kind: 'test'
  readonly channel: string
  readonly by: string
  readonly at: Instant
}

/** What a message needs to know besides. */
export interface MessageContext {
  /** Name of the installation. */
  readonly env: string
  readonly locale: Locale
  readonly displayTimeZone: string
  /** Without a slash at its end; `null`: messages carry no link. */
  readonly publicUrl: string | null
  labelsOf(source: string): Readonly<Record<string, string>>
}

/** The text of a notice, one line whatever stands in names: what, why it is told, and where to look. */
export function textOf(notice: Notice, context: MessageContext): string {
  return oneLine(notice.kind === 'alert' ? alertText(notice, context) : otherText(notice, context))
}

function otherText(notice: Exclude<Notice, AlertNotice>, { locale, displayTimeZone }: MessageContext): string {
  const sentence = sentences[locale][notice.kind] as Sentence<typeof notice.kind>
  return sentence(notice, displayTimeZone)
}

function alertText(notice: AlertNotice, context: MessageContext): string {
  const { locale, displayTimeZone } = context
  const line = noticeLine(notice.alert, { locale, timeZone: displayTimeZone })
  const why = locale === 'ja' ? `通知理由: ${notice.why}。` : `Why sent: ${notice.why}.`
  const note = notice.note === null ? [] : [locale === 'ja' ? `${notice.note}。` : `${notice.note}.`]
  const url = evidenceUrl(notice.alert.alertId, context)
  const parts = [line, why, ...note, ...(url === null ? [] : [url])]
  return parts.join(locale === 'ja' ? '' : ' ')
}

/** `<public_url>/alerts/<id>`. */
export function evidenceUrl(alertId: string, { publicUrl }: Pick<MessageContext, 'publicUrl'>): string | null {
  return publicUrl === null ? null : `${publicUrl}/alerts/${encodeURIComponent(alertId.toWellFormed())}`
}

type Sentence<Kind> = (notice: Extract<Notice, { kind: Kind }>, timeZone: string) => string

type Sentences = { readonly [Kind in Exclude<Notice['kind'], 'alert'>]: Sentence<Kind> }

const english: Sentences = {
  channel_failed: ({ channel, reason, status }) => {
    switch (reason) {
      case 'gone':
        return `CRITICAL channel ${channel}: its address is gone${inBrackets(status)}; nothing is sent there until its configuration changes or \`obstream channels test ${channel}\` succeeds.`
      case 'unauthorized':
        return `CRITICAL channel ${channel}: it refuses our credentials${inBrackets(status)}; messages to it are lost until its secret is mended.`
      case 'forbidden':
        return `CRITICAL channel ${channel}: its address may not be used (no HTTPS, or a private address); messages to it are lost until it is mended or stands in delivery.allow_hosts.`
    }
  },
  sampler_silent: ({ sinceAt }, timeZone) =>
    `CRITICAL sampler silent: no clock tick since ${bothTimes(sinceAt, timeZone)}; nothing is judged until it is back.`,
  sampler_back: ({ sinceAt }, timeZone) =>
    `RESOLVED sampler silent since ${bothTimes(sinceAt, timeZone)}: ticks are back.`,
  test: ({ channel, by }) => `TEST of channel ${channel}, asked for by ${by}. Nothing is wrong.`,
}

const japanese: Sentences = {
  channel_failed: ({ channel, reason, status }) => {
    switch (reason) {
      case 'gone':
        return `重大 チャネル ${channel}: 宛先が廃止されています${inBrackets(status).trim()}。設定を変更するか \`obstream channels test ${channel}\` が成功するまで送信しません。`
      case 'unauthorized':
        return `重大 チャネル ${channel}: 認証が拒否されました${inBrackets(status).trim()}。秘密情報を直すまで通知は届きません。`
      case 'forbidden':
        return `重大 チャネル ${channel}: 宛先の使用が許可されていません(HTTPS でないか、プライベートアドレス)。宛先を直すか delivery.allow_hosts に加えるまで通知は届きません。`
    }
  },
  sampler_silent: ({ sinceAt }, timeZone) =>
    `重大 サンプラー停止: ${bothTimes(sinceAt, timeZone)} 以降ティックがありません。復旧まで判定できません。`,
  sampler_back: ({ sinceAt }, timeZone) =>
    `復旧 サンプラー停止(${bothTimes(sinceAt, timeZone)} 以降): ティックが再開しました。`,
  test: ({ channel, by }) => `テスト チャネル ${channel}(依頼者 ${by})。異常はありません。`,
}

const sentences: Readonly<Record<Locale, Sentences>> = { en: english, ja: japanese }

const inBrackets = (status: number | null): string => (status === null ? '' : ` (${status})`)

/** `2026-06-27T22:55:00Z (06-28 07:55 JST)`; of UTC itself, once. */
function bothTimes(at: Instant, timeZone: string): string {
  if (timeZone === 'UTC') return formatInstant(at)
  const { day, clock, zone } = localTime(at, timeZone)
  return `${formatInstant(at)} (${day} ${clock} ${zone})`
}
