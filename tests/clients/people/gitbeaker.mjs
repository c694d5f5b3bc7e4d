// What a person does on GitLab, with @gitbeaker/rest.
import { load } from '../../contract/lib/load.mjs';

export const dialect = 'gitlab';

export async function connect(sandbox) {
  const { Gitlab } = await load('@gitbeaker/rest');
  return (user) => new Person(new Gitlab({ host: sandbox.url, token: user.token }), sandbox.repo_path);
}

class Person {
  constructor(api, project) {
    this.api = api;
    this.project = project;
  }

  hook(url, token) {
    return this.api.ProjectHooks.add(this.project, url, {
      token, issuesEvents: true, noteEvents: true, mergeRequestsEvents: true, pushEvents: true,
    });
  }

  async open({ title, body, labels }) {
    const more = labels ? { labels: labels.join(',') } : {};
    return (await this.api.Issues.create(this.project, title, { description: body, ...more })).iid;
  }
  edit(n, { title, body }) { return this.change(n, { title, description: body }); }
  label(n, addLabels) { return this.change(n, { addLabels }); }
  unlabel(n, removeLabels) { return this.change(n, { removeLabels }); }
  assign(n, user) { return this.change(n, { assigneeIds: [user.id] }); }
  close(n) { return this.change(n, { stateEvent: 'close' }); }
  reopen(n) { return this.change(n, { stateEvent: 'reopen' }); }
  remove(n) { return this.api.Issues.remove(this.project, n); }
  change(n, change) { return this.api.Issues.edit(this.project, n, change); }

  async say(n, text) { return (await this.api.IssueNotes.create(this.project, n, text)).id; }
  reword(n, note, body) { return this.api.IssueNotes.edit(this.project, n, note, { body }); }
  unsay(n, note) { return this.api.IssueNotes.remove(this.project, n, note); }

  sayOnPull(pull, text) { return this.api.MergeRequestNotes.create(this.project, pull, text); }
  approve(pull) { return this.api.MergeRequestApprovals.approve(this.project, pull); }
  merge(pull) { return this.api.MergeRequests.merge(this.project, pull); }
  closePull(pull) { return this.api.MergeRequests.edit(this.project, pull, { stateEvent: 'close' }); }

  async isOpen(n) { return (await this.api.Issues.show(n, { projectId: this.project })).state === 'opened'; }
  async comments(n) {
    return (await this.api.IssueNotes.all(this.project, n, kOldestFirst)).filter(isSaid).map(commentOf);
  }
  /// A review is a note here.
  async commentsOnPull(pull) { return (await this.notesOnPull(pull)).filter((n) => !isReview(n)); }
  async reviews(pull) { return (await this.notesOnPull(pull)).filter(isReview); }
  async notesOnPull(pull) {
    return (await this.api.MergeRequestNotes.all(this.project, pull, kOldestFirst)).filter(isSaid).map(commentOf);
  }
  async pulls() {
    const all = await this.api.MergeRequests.all({ projectId: this.project, perPage: 100 });
    return all.map((mr) => ({
      number: mr.iid,
      state: mr.state !== 'opened' ? mr.state : mr.draft ? 'draft' : 'open',
      branch: mr.source_branch,
      title: mr.title,
      by: mr.author.username,
    }));
  }
}

const kOldestFirst = { sort: 'asc', orderBy: 'created_at' };
/// What GitLab itself notes down of each change is nobody's comment.
const isSaid = (note) => !note.system;
const isReview = (comment) => comment.text.includes('swage:review');
const commentOf = (note) => ({ by: note.author.username, text: note.body });
