// What a person does on GitHub, with Debian's `gh api`: a program, one process for each request.
import { execFile } from 'node:child_process';

import { pullOf } from './octokit.mjs';

export const dialect = 'github';

const kLimit = { timeout: 30_000, maxBuffer: 16 << 20 };

export async function connect(sandbox, scratch) {
  return (user) => new Person(sandbox, {
    PATH: process.env.PATH,
    HOME: scratch,
    // What gh takes for hosts other than the public one.
    GH_ENTERPRISE_TOKEN: user.token,
  });
}

class Person {
  constructor(sandbox, env) {
    this.root = sandbox.api_url;
    this.repo = `${sandbox.api_url}/repos/${sandbox.owner}/${sandbox.repo}`;
    this.env = env;
  }

  /// What `gh api` prints.
  run(args, input) {
    return new Promise((resolve, reject) => {
      const child = execFile('gh', ['api', ...args], { env: this.env, ...kLimit }, (error, out, said) =>
        (error ? reject(new Error(`gh api ${args.join(' ')}: ${said.trim()}`)) : resolve(out)));
      child.stdin.end(input);
    });
  }
  async call(method, url, body) {
    const input = body === undefined ? [] : ['--input', '-'];
    const out = await this.run(['--method', method, url, ...input], body && JSON.stringify(body));
    return out ? JSON.parse(out) : null;
  }
  /// All pages; one entry a line, for pages are lists of their own.
  async list(path) {
    const out = await this.run([`${this.repo}/${path}`, '--paginate', '--jq', '.[]']);
    return out.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  hook(url, secret) {
    return this.call('POST', `${this.repo}/hooks`, { config: { url, content_type: 'json', secret }, events: ['*'] });
  }

  async open(issue) { return (await this.call('POST', `${this.repo}/issues`, issue)).number; }
  edit(n, change) { return this.call('PATCH', `${this.repo}/issues/${n}`, change); }
  label(n, name) { return this.call('POST', `${this.repo}/issues/${n}/labels`, { labels: [name] }); }
  unlabel(n, name) { return this.call('DELETE', `${this.repo}/issues/${n}/labels/${encodeURIComponent(name)}`); }
  assign(n, user) { return this.call('POST', `${this.repo}/issues/${n}/assignees`, { assignees: [user.login] }); }
  close(n) { return this.edit(n, { state: 'closed', state_reason: 'not_planned' }); }
  reopen(n) { return this.edit(n, { state: 'open' }); }
  async remove(n) {
    const { node_id: id } = await this.call('GET', `${this.repo}/issues/${n}`);
    const query = 'mutation($id: ID!) { deleteIssue(input: {issueId: $id}) { clientMutationId } }';
    await this.call('POST', `${this.root}/graphql`, { query, variables: { id } });
  }

  async say(n, body) { return (await this.call('POST', `${this.repo}/issues/${n}/comments`, { body })).id; }
  reword(_, id, body) { return this.call('PATCH', `${this.repo}/issues/comments/${id}`, { body }); }
  unsay(_, id) { return this.call('DELETE', `${this.repo}/issues/comments/${id}`); }

  sayOnPull(pull, body) { return this.say(pull, body); }
  approve(pull) { return this.call('POST', `${this.repo}/pulls/${pull}/reviews`, { event: 'APPROVE' }); }
  merge(pull) { return this.call('PUT', `${this.repo}/pulls/${pull}/merge`, {}); }
  closePull(pull) { return this.call('PATCH', `${this.repo}/pulls/${pull}`, { state: 'closed' }); }

  async isOpen(n) { return (await this.call('GET', `${this.repo}/issues/${n}`)).state === 'open'; }
  async comments(n) {
    return (await this.list(`issues/${n}/comments?per_page=100`)).map((c) => ({ by: c.user.login, text: c.body }));
  }
  commentsOnPull(pull) { return this.comments(pull); }
  async reviews(pull) {
    return (await this.list(`pulls/${pull}/reviews?per_page=100`)).map((r) => ({ by: r.user.login, text: r.body }));
  }
  async pulls() { return (await this.list('pulls?state=all&per_page=100')).map(pullOf); }
}
