// Receives webhooks on a loopback port, keeps them raw, and lets a step wait for the one it caused.
import { once } from 'node:events';
import { createServer } from 'node:http';

const kPatienceMs = 10_000;

export class Receiver {
  deliveries = [];
  #waiting = [];
  #server = createServer((request, response) => this.#take(request, response));

  async start() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${this.#server.address().port}/hook`;
    return this;
  }

  stop() {
    this.#server.closeAllConnections?.();
    this.#server.close();
  }

  /// The first delivery, past or to come, that `wanted` accepts.
  waitFor(what, wanted) {
    const there = this.deliveries.find(wanted);
    if (there) return there;
    return new Promise((resolve, reject) => {
      const waiter = { wanted, resolve };
      this.#waiting.push(waiter);
      setTimeout(() => {
        const seen = this.deliveries.map((d) => d.summary).join(', ');
        reject(new Error(`no webhook "${what}" within ${kPatienceMs} ms; seen: ${seen || 'none'}`));
      }, kPatienceMs).unref();
    });
  }

  async #take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const body = JSON.parse(raw.toString('utf8'));
    const event = request.headers['x-github-event'] ?? request.headers['x-gitlab-event'];
    const action = body.action ?? body.object_attributes?.action ?? '';
    const delivery = { headers: request.headers, raw, body, event, action, summary: `${event} ${action}` };
    this.deliveries.push(delivery);
    response.writeHead(202).end();
    for (const waiter of this.#waiting.filter((w) => w.wanted(delivery))) waiter.resolve(delivery);
  }
}
