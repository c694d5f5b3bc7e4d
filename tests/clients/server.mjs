// The real `swage serve` beside the sandbox forge, and the commands that its operator has.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { freePort } from '../contract/lib/contract.mjs';
import { until } from './until.mjs';

const kAgent = fileURLToPath(new URL('agent.sh', import.meta.url));
const kTasks = 6;
const run = promisify(execFile);

export class Server {
  #child;

  static async make(program, dialect, sandbox, scratch) {
    const server = new Server();
    Object.assign(server, { program, scratch, port: await freePort(), secret: `hook-${path.basename(scratch)}` });
    server.url = `http://127.0.0.1:${server.port}`;
    server.hook = `${server.url}/hooks/day`;
    server.log = path.join(scratch, 'server.log');
    server.meeting = path.join(scratch, 'meeting');
    mkdirSync(server.meeting);
    const file = (name, text) => {
      writeFileSync(path.join(scratch, name), text, { mode: 0o600 });
      return path.join(scratch, name);
    };
    const token = file('token', sandbox.users.bot.token);
    const secret = file('secret', server.secret);
    // JSON is YAML.
    server.config = file('swage.yml', JSON.stringify({
      data_dir: path.join(scratch, 'data'),
      listen: `127.0.0.1:${server.port}`,
      dashboard: `127.0.0.1:${await freePort()}`,
      forges: [{
        name: 'day', kind: dialect, api_url: sandbox.api_url, git_url: sandbox.url, token: `file:${token}`,
        webhook_secret: `file:${secret}`, repos: [sandbox.repo_path], write_interval: '0s',
      }],
      // As most servers have it: what comes in twice is done once.
      intake: 'both',
      poll_interval: '2s',
      agent: { command: ['/bin/bash', kAgent, '{task_file}', server.meeting] },
      gates: [{ name: 'tests', run: ['sh', '-c', '! grep -rx wrong answers'] }],
      limits: { tasks: kTasks, tasks_per_repo: kTasks, cycles: 2 },
      // The day is about forges: it goes the same way where the machine has no sandboxes.
      isolation: { built_in_rules: false, write: [server.meeting] },
      drain_limit: '0s',
    }));
    return server;
  }

  async start() {
    const log = openSync(this.log, 'a');
    this.#child = spawn(this.program, ['serve', '--config', this.config], {
      stdio: ['ignore', log, log], env: { PATH: process.env.PATH, HOME: this.scratch },
    });
    closeSync(log);
    const child = this.#child;
    // Before the folder goes in which it writes.
    process.prependOnceListener('exit', () => child.kill('SIGKILL'));
    await until('the server is up', async () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${this.lastWords()}`);
      return (await fetch(`${this.url}/healthz`).catch(() => null))?.ok;
    });
  }

  /// The exit code.
  async stop() {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const [code] = await ended;
    return code;
  }

  lastWords() {
    return readFileSync(this.log, 'utf8').split('\n').slice(-30).join('\n');
  }

  /// The output of `swage ARGUMENT...`.
  async swage(...args) {
    const { stdout } = await run(this.program, [...args, '--config', this.config]);
    return stdout;
  }
  /// Oldest first.
  async tasks() {
    const lines = (await this.swage('tasks', '--json', '--limit', '1000')).split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line)).sort((a, b) => a.id - b.id);
  }
  workspaces() {
    return readdirSync(path.join(this.scratch, 'data', 'workspaces'));
  }
}
