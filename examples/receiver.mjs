// A receiver of obstream's messages: Node, and no package. While a secret is rotated, either of two is right.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

const secrets = [process.env.OBS_WEBHOOK_SECRET, process.env.OBS_WEBHOOK_SECRET_PREVIOUS].filter(Boolean)
if (!secrets.length || !secrets.every((secret) => /^whsec_.{32,}$/.test(secret)))
  throw new Error('OBS_WEBHOOK_SECRET, and OBS_WEBHOOK_SECRET_PREVIOUS if there is one, must be a whsec_ secret')
const keys = secrets.map((secret) => Buffer.from(secret.slice('whsec_'.length), 'base64'))
const handled = new Set() // Keep it in a database, ids for a week: obstream tries again for three days.

function isOurs({ 'webhook-id': id, 'webhook-timestamp': sentAt, 'webhook-signature': signatures = '' }, body) {
  if (!(Math.abs(Date.now() / 1000 - Number(sentAt)) <= 300)) return false
  return keys.some((key) => {
    const hmac = createHmac('sha256', key).update(`${id}.${sentAt}.`).update(body)
    const right = Buffer.from(`v1,${hmac.digest('base64')}`)
    const given = signatures.split(' ').map((signature) => Buffer.from(signature))
    return given.some((one) => one.length === right.length && timingSafeEqual(one, right))
  })
}

async function receive(request) {
  if (!(Number(request.headers['content-length']) <= 2 ** 20)) return 413
  const body = Buffer.concat(await request.toArray()) // The bytes that were signed; parse them afterwards.
  if (!isOurs(request.headers, body)) return 401
  const id = request.headers['webhook-id']
  if (!handled.has(id)) console.log(`${id} ${JSON.parse(body).type}`) // Here is your own work.
  handled.add(id)
  return 204
}

const server = createServer(async (request, response) => {
  const status = await receive(request).catch(() => 500) // Then it is sent again.
  response.writeHead(status).end()
})
server.listen(process.env.PORT ?? 9100, '127.0.0.1', () => console.log(`listening on ${server.address().port}`))
