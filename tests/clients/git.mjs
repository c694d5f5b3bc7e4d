// A person's own git, over HTTP with a token.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export class Git {
  constructor(sandbox, user, scratch) {
    const url = new URL(sandbox.git_url);
    Object.assign(url, { username: user.login, password: user.token });
    this.url = url.href;
    this.scratch = scratch;
    this.env = {
      PATH: process.env.PATH, HOME: scratch, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: user.login, GIT_AUTHOR_EMAIL: `${user.login}@example.com`,
      GIT_COMMITTER_NAME: user.login, GIT_COMMITTER_EMAIL: `${user.login}@example.com`,
    };
  }

  async git(...args) {
    return (await run('git', args, { env: this.env })).stdout;
  }

  async branches() {
    const lines = (await this.git('ls-remote', '--heads', this.url)).split('\n').filter(Boolean);
    return lines.map((line) => line.split('\trefs/heads/')[1]);
  }

  /// Adds a file to a branch.
  async push(branch, name, text) {
    const clone = mkdtempSync(path.join(this.scratch, 'clone-'));
    try {
      await this.git('clone', '--quiet', '--depth=1', '--branch', branch, this.url, clone);
      writeFileSync(path.join(clone, name), text);
      await this.git('-C', clone, 'add', name);
      await this.git('-C', clone, 'commit', '--quiet', '--message', `Add ${name}`);
      await this.git('-C', clone, 'push', '--quiet', 'origin', branch);
    } finally {
      rmSync(clone, { recursive: true });
    }
  }
}
