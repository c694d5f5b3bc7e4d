// Puts Prism, as a proxy with the forge's own OpenAPI description, between a client and the sandbox, and
// keeps a table of what it said about each reply (its `sl-violations` header).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

import { packageFile } from './load.mjs';

const kStartMs = 60_000;

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/// Without an `upstream` Prism answers by itself, with what the description gives for an example.
export async function startPrism(contract, upstream) {
  const port = await freePort();
  const cli = packageFile('@stoplight/prism-cli/dist/index.js');
  const mode = upstream ? ['proxy', contract, upstream] : ['mock', contract];
  const child = spawn(
    process.execPath,
    [cli, ...mode, '--host', '127.0.0.1', '--port', String(port)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  process.once('exit', () => child.kill('SIGKILL'));
  const listening = new Promise((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (chunk) => {
      said = (said + chunk).slice(-4096);
      if (said.includes('Prism is listening')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`Prism ended with ${code}: ${said}`)));
    setTimeout(() => reject(new Error(`Prism is not up after ${kStartMs} ms: ${said}`)), kStartMs).unref();
  });
  await listening;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.removeAllListeners('exit');
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/// Past a size, Prism puts "Too many violations!" in front and cuts the list somewhere.
export function parseViolations(header) {
  if (!header) return [];
  if (header.startsWith('[')) return JSON.parse(header);
  return [{ location: ['response'], message: header.slice(0, 400) }];
}

/// The value that a violation speaks of ("response.body.0.author").
const valueAt = (body, location) =>
  location.slice(2).reduce((value, key) => (value == null ? undefined : value[key]), body);

/// Records every request that any client makes through fetch. `pardon(violation, value)` says which
/// violations are the description's fault.
export class CallTable {
  #calls = new Map();
  #fetch = globalThis.fetch;
  #pardon;
  pardoned = 0;

  constructor(pardon = () => false) {
    this.#pardon = pardon;
    globalThis.fetch = async (...args) => {
      const [input, init] = args;
      const response = await this.#fetch(...args);
      const body = await response.clone().json().catch(() => undefined);
      this.#note(init?.method ?? input.method ?? 'GET', new URL(input.url ?? input).pathname, response, body);
      return response;
    };
  }

  #note(method, pathname, response, body) {
    const violations = parseViolations(response.headers.get('sl-violations'));
    const key = `${method} ${decodeURIComponent(pathname).replace(/[0-9a-f]{40}/g, ':sha')
      .replace(/\/\d+(?=\/|$)/g, '/:n')} -> ${response.status}`;
    const row = this.#calls.get(key) ?? { violations: new Set(), covered: true };
    for (const v of violations) {
      const place = v.location.join('.');
      // A route or a status that the description does not know cannot be judged by it.
      if (v.message === 'Selected route not found' || /Unable to match the returned status code/.test(v.message)) {
        row.covered = false;
      } else if (v.location[0] === 'response' && this.#pardon(v, valueAt(body, v.location))) {
        this.pardoned += 1;
      } else if (v.location[0] === 'response') {
        row.violations.add(`${place}: ${v.message}`);
      }
    }
    this.#calls.set(key, row);
  }

  get uncovered() {
    return [...this.#calls].filter(([, row]) => !row.covered).map(([key]) => key).sort();
  }
  get violations() {
    return [...this.#calls].flatMap(([key, row]) => [...row.violations].map((v) => `${key}\n          ${v}`));
  }
  get size() {
    return this.#calls.size;
  }
}
