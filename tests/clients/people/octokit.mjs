// What a person does on GitHub, with @octokit/rest.
import { load } from '../../contract/lib/load.mjs';

export const dialect = 'github';

const silent = () => {};
const log = { debug: silent, info: silent, warn: silent, error: silent };
const kPage = 100;

export async function connect(sandbox) {
  const { Octokit } = await load('@octokit/rest');
  const here = { owner: sandbox.owner, repo: sandbox.repo, per_page: kPage };
  return (user) => new Person(new Octokit({ auth: user.token, baseUrl: sandbox.api_url, log }), here);
}

class Person {
  constructor(api, here) {
    this.api = api;
    this.here = here;
  }

  async hook(url, secret) {
    await this.api.repos.createWebhook({ ...this.here, config: { url, content_type: 'json', secret }, events: ['*'] });
  }

  async open({ title, body, labels }) {
    return (await this.api.issues.create({ ...this.here, title, body, labels })).data.number;
  }
  edit(issue_number, change) { return this.api.issues.update({ ...this.here, issue_number, ...change }); }
  label(issue_number, name) { return this.api.issues.addLabels({ ...this.here, issue_number, labels: [name] }); }
  unlabel(issue_number, name) { return this.api.issues.removeLabel({ ...this.here, issue_number, name }); }
  assign(issue_number, user) { return this.api.issues.addAssignees({ ...this.here, issue_number, assignees: [user.login] }); }
  close(issue_number) { return this.edit(issue_number, { state: 'closed', state_reason: 'not_planned' }); }
  reopen(issue_number) { return this.edit(issue_number, { state: 'open' }); }
  async remove(issue_number) {
    const { data } = await this.api.issues.get({ ...this.here, issue_number });
    await this.api.graphql('mutation($id: ID!) { deleteIssue(input: {issueId: $id}) { clientMutationId } }', { id: data.node_id });
  }

  async say(issue_number, body) {
    return (await this.api.issues.createComment({ ...this.here, issue_number, body })).data.id;
  }
  reword(_, comment_id, body) { return this.api.issues.updateComment({ ...this.here, comment_id, body }); }
  unsay(_, comment_id) { return this.api.issues.deleteComment({ ...this.here, comment_id }); }

  sayOnPull(pull, body) { return this.say(pull, body); }
  approve(pull_number) { return this.api.pulls.createReview({ ...this.here, pull_number, event: 'APPROVE' }); }
  merge(pull_number) { return this.api.pulls.merge({ ...this.here, pull_number }); }
  closePull(pull_number) { return this.api.pulls.update({ ...this.here, pull_number, state: 'closed' }); }

  async isOpen(issue_number) { return (await this.api.issues.get({ ...this.here, issue_number })).data.state === 'open'; }
  async comments(issue_number) {
    const all = await this.api.paginate(this.api.issues.listComments, { ...this.here, issue_number });
    return all.map((c) => ({ by: c.user.login, text: c.body }));
  }
  commentsOnPull(pull) { return this.comments(pull); }
  async reviews(pull_number) {
    const all = await this.api.paginate(this.api.pulls.listReviews, { ...this.here, pull_number });
    return all.map((r) => ({ by: r.user.login, text: r.body }));
  }
  async pulls() {
    const all = await this.api.paginate(this.api.pulls.list, { ...this.here, state: 'all' });
    return all.map(pullOf);
  }
}

export const pullOf = (p) => ({
  number: p.number,
  state: p.merged_at ? 'merged' : p.state === 'closed' ? 'closed' : p.draft ? 'draft' : 'open',
  branch: p.head.ref,
  title: p.title,
  by: p.user.login,
});
