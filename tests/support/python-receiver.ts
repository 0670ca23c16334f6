import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The packages of tests/peers/requirements.txt are in the first where `.ci/install` has been. */
const PYTHONS = [fileURLToPath(new URL('../../.venv/bin/python', import.meta.url)), 'python3']

function findPython(): string | undefined {
  return PYTHONS.find((python) => spawnSync(python, ['-c', 'import standardwebhooks']).status === 0)
}

/** Why the `standardwebhooks` of PyPI cannot be asked here; `undefined` when it can. */
export function pythonReceiverMissing(): string | undefined {
  return findPython() === undefined
    ? 'there is no Python with standardwebhooks (python3 -m venv .venv && .venv/bin/pip install -r tests/peers/requirements.txt)'
    : undefined
}

export interface PythonReceiver {
  url(path: string): string
  close(): Promise<void>
}

/** Answers 200 `accepted`, or 400 with what `standardwebhooks` has against the message. */
const SCRIPT = `
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from standardwebhooks import Webhook, WebhookVerificationError

webhooks = {path: Webhook(secret) for path, secret in json.loads(os.environ['SECRETS']).items()}

class Receiver(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        try:
            webhooks[self.path].verify(body, dict(self.headers))
            self.answer(200, 'accepted')
        except WebhookVerificationError as refused:
            self.answer(400, str(refused))

    def answer(self, status, text):
        content = text.encode()
        self.send_response(status)
        self.send_header('content-length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(('127.0.0.1', 0), Receiver)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()`

/**
 * A receiver in Python that checks each message, which must be JSON, with the `standardwebhooks` of PyPI.
 *
 * @param secrets by path
 */
export async function openPythonReceiver(secrets: Readonly<Record<string, string>>): Promise<PythonReceiver> {
  const child = spawn(findPython()!, ['-c', SCRIPT], {
    env: { ...process.env, SECRETS: JSON.stringify(secrets) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const [port] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    ended.then(() => Promise.reject(new Error('the receiver in Python ended before it listened'))),
  ])
  return {
    url: (path) => `http://127.0.0.1:${port}${path}`,
    async close() {
      child.kill()
      await ended
    },
  }
}
