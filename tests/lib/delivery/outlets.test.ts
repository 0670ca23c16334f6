import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { ChannelConfig, Config } from '#lib/config.ts'
import type { Sender } from '#lib/delivery/attempt.ts'
import type { Classified } from '#lib/delivery/classify.ts'
import { Outlets } from '#lib/delivery/outlets.ts'
import { configOf, withoutChannels } from '#tests/services/sampler/desk.ts'
import { eventually } from '#tests/support/eventually.ts'
import { answering, openReceiver, type Receiver } from '#tests/support/receiver.ts'

let receiver: Receiver
let outlets: Outlets
beforeEach(async () => {
  receiver = await openReceiver()
})
afterEach(async () => {
  await outlets.close()
  await receiver.close()
})

function chatAt(path: string): Config {
  const chat: ChannelConfig = {
    name: 'chat',
    kind: 'slack',
    profile: 'full',
    url: receiver.url(path),
    secret: null,
    previousSecret: null,
    configSha256: '',
  }
  return {
    ...configOf([]),
    channels: [chat],
    delivery: { ...withoutChannels.delivery, allowHosts: ['127.0.0.1'] },
  }
}

const post = (sender: Sender | undefined): Promise<Classified> => sender!.post({ messageId: 'msg_1', body: '{}' }, 0)

describe('a new configuration', () => {
  beforeEach(() => {
    outlets = new Outlets(chatAt('/services/old'))
  })

  test('lets a request under way end on its old connection, then closes that', async () => {
    const gate = Promise.withResolvers<void>()
    receiver.follow({ do: 'answer', status: 200, body: 'ok', after: gate.promise })
    const answer = post(outlets.sender('chat'))
    await eventually(() => receiver.received.length === 1)
    await outlets.reload(chatAt('/services/new'))
    gate.resolve()
    expect(await answer).toMatchObject({ result: 'accepted' })
    await eventually(() => receiver.openConnections === 0)
  })

  test('is what a sender of before posts by', async () => {
    const sender = outlets.sender('chat')
    await outlets.reload(chatAt('/services/new'))
    expect(await post(sender)).toMatchObject({ result: 'accepted' })
    expect(receiver.received.map(({ path }) => path)).toEqual(['/services/new'])
  })

  test('without the channel refuses what waits for it', async () => {
    const sender = outlets.sender('chat')
    await outlets.reload({ ...chatAt('/services/new'), channels: [] })
    expect(outlets.sender('chat')).toBeUndefined()
    expect(await post(sender)).toEqual({
      result: 'forbidden',
      status: null,
      detail: 'the channel is no longer in the configuration',
      retryAfter: null,
    })
  })

  test('with a proxy that cannot be read is refused, and the one before goes on', async () => {
    const next = chatAt('/services/new')
    const proxy = { https: 'socks5://127.0.0.1:1', http: null, none: null }
    const reload = async () => outlets.reload({ ...next, delivery: { ...next.delivery, proxy } })
    await expect(reload()).rejects.toMatchObject({ code: 'OBS_CONFIG_INVALID' })
    expect(await post(outlets.sender('chat'))).toMatchObject({ result: 'accepted' })
    expect(receiver.received.map(({ path }) => path)).toEqual(['/services/old'])
    expect(outlets.config.channels[0]!.url).toBe(receiver.url('/services/old'))
  })

  test('does not keep a stop from being at once', async () => {
    receiver.follow(({ index }) => (index === 0 ? { do: 'hang' } : answering(200, 'ok')))
    const answer = post(outlets.sender('chat'))
    await eventually(() => receiver.received.length === 1)
    await outlets.reload(chatAt('/services/new'))
    await outlets.close()
    expect(await answer).toMatchObject({ result: 'unknown' })
    await eventually(() => receiver.openConnections === 0)
  })
})
