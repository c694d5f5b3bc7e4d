// What a person does on Gitea, with gitea-js, which is made from Gitea's own description of its API.
import { load } from '../../contract/lib/load.mjs';

export const dialect = 'gitea';

const kPage = 50;

export async function connect(sandbox) {
  const { giteaApi } = await load('gitea-js');
  return (user) => new Person(giteaApi(sandbox.url, { token: user.token }).repos, [sandbox.owner, sandbox.repo]);
}

/// All pages of a list.
async function whole(page) {
  const all = [];
  for (let at = 1; ; at += 1) {
    const { data } = await page({ page: at, limit: kPage });
    all.push(...data);
    if (data.length < kPage) return all;
  }
}

class Person {
  constructor(api, here) {
    this.api = api;
    this.here = here;
  }

  hook(url, secret) {
    return this.api.repoCreateHook(...this.here, {
      type: 'gitea', active: true, config: { url, content_type: 'json', secret },
      events: ['push', 'issues', 'issue_comment', 'pull_request'],
    });
  }

  async open({ title, body, labels = [] }) {
    const ids = await Promise.all(labels.map((name) => this.labelId(name)));
    return (await this.api.issueCreateIssue(...this.here, { title, body, labels: ids })).data.number;
  }
  edit(n, change) { return this.api.issueEditIssue(...this.here, n, change); }
  async label(n, name) { await this.api.issueAddLabel(...this.here, n, { labels: [await this.labelId(name)] }); }
  async unlabel(n, name) { await this.api.issueRemoveLabel(...this.here, n, await this.labelId(name)); }
  assign(n, user) { return this.edit(n, { assignees: [user.login] }); }
  close(n) { return this.edit(n, { state: 'closed' }); }
  reopen(n) { return this.edit(n, { state: 'open' }); }
  remove(n) { return this.api.issueDelete(...this.here, n); }
  /// Labels go by their ids and are made by hand.
  async labelId(name) {
    const there = (await whole((page) => this.api.issueListLabels(...this.here, page))).find((l) => l.name === name);
    return (there ?? (await this.api.issueCreateLabel(...this.here, { name, color: '#00aabb' })).data).id;
  }

  async say(n, body) { return (await this.api.issueCreateComment(...this.here, n, { body })).data.id; }
  reword(_, id, body) { return this.api.issueEditComment(...this.here, id, { body }); }
  unsay(_, id) { return this.api.issueDeleteComment(...this.here, id); }

  sayOnPull(pull, body) { return this.say(pull, body); }
  approve(pull) { return this.api.repoCreatePullReview(...this.here, pull, { event: 'APPROVED', body: 'Good.' }); }
  merge(pull) { return this.api.repoMergePullRequest(...this.here, pull, { Do: 'merge' }); }
  closePull(pull) { return this.api.repoEditPullRequest(...this.here, pull, { state: 'closed' }); }

  async isOpen(n) { return (await this.api.issueGetIssue(...this.here, n)).data.state === 'open'; }
  /// The one list that has no pages.
  async comments(n) {
    return (await this.api.issueGetComments(...this.here, n)).data.map((c) => ({ by: c.user.login, text: c.body }));
  }
  commentsOnPull(pull) { return this.comments(pull); }
  async reviews(pull) {
    const all = await whole((page) => this.api.repoListPullReviews(...this.here, pull, page));
    return all.map((r) => ({ by: r.user.login, text: r.body }));
  }
  async pulls() {
    const all = await whole((page) => this.api.repoListPullRequests(...this.here, { state: 'all', ...page }));
    return all.map((p) => ({
      number: p.number,
      state: p.merged ? 'merged' : p.state === 'closed' ? 'closed' : /^WIP:/.test(p.title) || p.draft ? 'draft' : 'open',
      branch: p.head.ref,
      title: p.title,
      by: p.user.login,
    }));
  }
}
