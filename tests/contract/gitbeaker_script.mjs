// The main job by hand, on the GitLab dialect, with a client that nobody here wrote:
// issue -> label -> branch -> commit -> merge request -> discussion -> note -> status -> merge -> hooks.
//
// With SWAGE_CONTRACT set to GitLab's OpenAPI description, every reply also passes through Prism. That
// description has no notes, issues, labels or positioned discussions; the table at the end says so.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { CallTable, startPrism } from './lib/contract.mjs';
import { load } from './lib/load.mjs';
import { Receiver } from './lib/receiver.mjs';
import { startSandbox } from './lib/sandbox.mjs';
import { differences, shapeOf } from './lib/shape.mjs';
import { refusal, Steps } from './lib/steps.mjs';

const { Gitlab } = await load('@gitbeaker/rest');
const contract = process.env.SWAGE_CONTRACT;
const samples = process.env.SWAGE_SAMPLES;
const steps = new Steps(contract ? '@gitbeaker/rest through the GitLab contract' : '@gitbeaker/rest');
const step = (what, act) => steps.step(what, act);

const sandbox = await startSandbox('gitlab');
const prism = contract ? await startPrism(contract, sandbox.url) : null;
// GitLab's own replies break GitLab's description: Swagger 2 cannot say "or null", a field whose type nobody
// wrote down became "string", and a list of things became one thing. Those three are not held against us.
const calls = new CallTable((violation, value) =>
  value === null ||
  (violation.message.endsWith('must be string') && typeof value !== 'string') ||
  (violation.message.endsWith('must be object') && Array.isArray(value)));
const receiver = await new Receiver().start();
const client = (token) => new Gitlab({ host: prism?.url ?? sandbox.url, token });
const alice = client(sandbox.users.alice.token);
const bot = client(sandbox.users.bot.token);
const reader = client(sandbox.users.reader.token);
const project = sandbox.repo_path;
const kToken = 'a plain token';
const kBranch = 'swage/issue-1';
const marker = '<!-- swage:status 1 -->';
const seen = {};

const hook = (event, wanted) =>
  receiver.waitFor(event, (d) => d.event === event && wanted(d.body));
const hookAction = (event, action) => hook(event, (b) => b.object_attributes.action === action);

await step('a token says who it belongs to', async () => {
  const user = await bot.Users.showCurrentUser();
  assert.deepEqual([user.id, user.username], [sandbox.users.bot.id, sandbox.users.bot.login]);
});

await step('a wrong token is refused with 401', async () => {
  assert.equal((await refusal(client('not-a-token').Users.showCurrentUser())).status, 401);
});

await step('the project is found by encoded path and by id', async () => {
  const byPath = await bot.Projects.show(project);
  const byId = await bot.Projects.show(sandbox.repo_id);
  assert.equal(byPath.id, sandbox.repo_id);
  assert.equal(byId.path_with_namespace, project);
  assert.equal(byPath.default_branch, 'main');
  assert.match(byPath.http_url_to_repo, /\.git$/);
});

await step('an unknown project is 404', async () => {
  assert.equal((await refusal(bot.Projects.show('absent/absent'))).status, 404);
});

await step('a user is found by name, and roles are told apart', async () => {
  const level = async (login) => {
    const [user] = await bot.Users.all({ username: login });
    return (await bot.ProjectMembers.show(project, user.id, { includeInherited: true })).access_level;
  };
  assert.equal(await level(sandbox.users.bot.login), 30);
  assert.ok((await level(sandbox.users.alice.login)) >= 40);
  assert.ok((await level(sandbox.users.reader.login)) <= 20);
  const stranger = bot.ProjectMembers.show(project, sandbox.users.stranger.id, { includeInherited: true });
  assert.equal((await refusal(stranger)).status, 404);
});

await step('a hook is added and its token is not shown', async () => {
  const made = await alice.ProjectHooks.add(project, receiver.url, {
    token: kToken, issuesEvents: true, noteEvents: true, mergeRequestsEvents: true, pushEvents: true,
  });
  seen.hook = made.id;
  assert.equal(made.issues_events, true);
  assert.equal(made.token, undefined);
});

await step('an issue is opened', async () => {
  const issue = await alice.Issues.create(project, 'Total is off by one', { description: 'See `total`.' });
  seen.issue = issue.iid;
  assert.equal(issue.state, 'opened');
  assert.equal(issue.author.username, sandbox.users.alice.login);
  const { body } = await hookAction('Issue Hook', 'open');
  assert.equal(body.object_attributes.iid, seen.issue);
});

await step('its hook carries the token and names its delivery', async () => {
  const { headers } = await hookAction('Issue Hook', 'open');
  assert.equal(headers['x-gitlab-token'], kToken);
  assert.match(headers['x-gitlab-event-uuid'], /^[0-9a-f-]{36}$/);
  assert.ok(headers['idempotency-key']);
  assert.equal(headers['webhook-signature'], undefined, 'no signing secret was set');
});

await step('a label is added, and the change says from what to what', async () => {
  const issue = await alice.Issues.edit(project, seen.issue, { addLabels: 'swage' });
  assert.deepEqual(issue.labels, ['swage']);
  const { body } = await hookAction('Issue Hook', 'update');
  assert.deepEqual(body.changes.labels.previous, []);
  assert.deepEqual(body.changes.labels.current.map((l) => l.title), ['swage']);
  assert.equal(body.user.username, sandbox.users.alice.login);
  assert.equal(body.project.id, sandbox.repo_id);
});

await step('the label exists in the project now', async () => {
  const labels = await alice.ProjectLabels.all(project);
  assert.ok(labels.some((l) => l.name === 'swage'));
});

await step('a guest may not change the issue', async () => {
  const { status } = await refusal(reader.Issues.edit(project, seen.issue, { addLabels: 'mine' }));
  assert.equal(status, 403);
});

await step('an emoji is awarded once; the second time is 404', async () => {
  await bot.IssueAwardEmojis.award(project, seen.issue, 'eyes');
  const again = await refusal(bot.IssueAwardEmojis.award(project, seen.issue, 'eyes'));
  assert.equal(again.status, 404);
  const all = await bot.IssueAwardEmojis.all(project, seen.issue);
  assert.deepEqual(all.map((e) => e.name), ['eyes']);
});

await step('a sticky note is created, found by paging, and edited in place', async () => {
  const note = await bot.IssueNotes.create(project, seen.issue, `${marker}\nqueued`);
  await hook('Note Hook', (b) => b.object_attributes.id === note.id && b.issue.iid === seen.issue);
  await bot.IssueNotes.edit(project, seen.issue, note.id, { body: `${marker}\nrunning` });
  const all = await bot.IssueNotes.all(project, seen.issue, { perPage: 1 });
  const ours = all.filter((n) => n.body.includes(marker));
  assert.deepEqual(ours.map((n) => [n.id, n.body]), [[note.id, `${marker}\nrunning`]]);
  seen.note = note.id;
});

await step('a list is cut into pages, counted in headers', async () => {
  for (let i = 0; i < 5; i += 1) await alice.IssueNotes.create(project, seen.issue, `note ${i}`);
  const page = await bot.IssueNotes.all(project, seen.issue, {
    perPage: 2, page: 1, pagination: 'offset', showExpanded: true,
  });
  assert.equal(page.data.length, 2);
  assert.equal(page.paginationInfo.next, 2);
  assert.equal(page.paginationInfo.perPage, 2);
  const all = await bot.IssueNotes.all(project, seen.issue, { perPage: 2 });
  assert.equal(new Set(all.map((n) => n.id)).size, all.length);
  assert.ok(all.length >= 6);
});

await step('a note takes an emoji', async () => {
  await bot.IssueNoteAwardEmojis.award(project, seen.issue, seen.note, 'rocket');
  const all = await bot.IssueNoteAwardEmojis.all(project, seen.issue, seen.note);
  assert.deepEqual(all.map((e) => e.name), ['rocket']);
});

await step('a quick action in a note is executed, and its line is gone', async () => {
  const other = await alice.Issues.create(project, 'To be closed by a command');
  await alice.IssueNotes.create(project, other.iid, 'Not needed.\n/close');
  assert.equal((await alice.Issues.show(other.iid, { projectId: project })).state, 'closed');
  const notes = await alice.IssueNotes.all(project, other.iid);
  assert.ok(notes.some((n) => n.body.trim() === 'Not needed.'));
  assert.ok(notes.every((n) => !n.body.includes('/close')));
});

await step('a branch is made from main; the same again is 400', async () => {
  const branch = await bot.Branches.create(project, kBranch, 'main');
  seen.base = branch.commit.id;
  assert.equal((await bot.Branches.show(project, kBranch)).name, kBranch);
  const { status, text } = await refusal(bot.Branches.create(project, kBranch, 'main'));
  assert.equal(status, 400);
  assert.match(text, /Branch already exists/);
});

await step('a commit lands on the branch and is pushed as an event', async () => {
  const file = await bot.RepositoryFiles.show(project, 'src/total.txt', kBranch);
  const before = Buffer.from(file.content, 'base64').toString('utf8');
  const after = before.replace('line 10\n', 'line ten\n');
  assert.notEqual(after, before);
  const commit = await bot.Commits.create(project, kBranch, 'Count to ten', [
    { action: 'update', filePath: 'src/total.txt', content: after },
  ]);
  seen.head = commit.id;
  const { body } = await hook('Push Hook', (b) => b.after === seen.head);
  assert.deepEqual([body.ref, body.before], [`refs/heads/${kBranch}`, seen.base]);
  assert.deepEqual(body.commits[0].modified, ['src/total.txt']);
});

await step('two commits compare as a real diff', async () => {
  const { commits, diffs } = await bot.Repositories.compare(project, 'main', kBranch);
  assert.equal(commits.length, 1);
  assert.match(diffs[0].diff, /^@@ .*\n[\s\S]*-line 10\n\+line ten/);
});

await step('a merge request is opened; issues and merge requests count apart', async () => {
  const mr = await bot.MergeRequests.create(project, kBranch, 'main', 'Draft: Count to ten', {
    description: `Closes #${seen.issue}`, removeSourceBranch: true,
  });
  seen.mr = mr.iid;
  assert.equal(seen.mr, 1);
  assert.equal(mr.draft, true);
  assert.equal(mr.sha, seen.head);
  const { body } = await hookAction('Merge Request Hook', 'open');
  assert.equal(body.object_attributes.last_commit.id, seen.head);
});

await step('a second one for the branch is 409 and names the first', async () => {
  const { status, text } = await refusal(bot.MergeRequests.create(project, kBranch, 'main', 'x'));
  assert.equal(status, 409);
  assert.match(text, new RegExp(`Another open merge request already exists for this source branch: !${seen.mr}`));
});

await step('it is found by its source branch', async () => {
  const found = await bot.MergeRequests.all({ projectId: project, sourceBranch: kBranch, state: 'opened' });
  assert.deepEqual(found.map((m) => m.iid), [seen.mr]);
  assert.deepEqual(await bot.MergeRequests.all({ projectId: project, sourceBranch: 'absent' }), []);
});

await step('a draft is not merged', async () => {
  const { status } = await refusal(alice.MergeRequests.merge(project, seen.mr));
  assert.equal(status, 405);
});

await step('the draft prefix is taken away by an edit', async () => {
  const mr = await bot.MergeRequests.edit(project, seen.mr, { title: 'Count to ten' });
  assert.deepEqual([mr.draft, mr.title], [false, 'Count to ten']);
});

await step('its versions and diff_refs agree', async () => {
  const [version] = await bot.MergeRequests.allDiffVersions(project, seen.mr);
  seen.version = version;
  assert.equal(version.head_commit_sha, seen.head);
  assert.equal(version.base_commit_sha, seen.base);
  let refs = null;
  for (let i = 0; i < 20 && !refs; i += 1) refs = (await bot.MergeRequests.show(project, seen.mr)).diff_refs;
  assert.deepEqual(refs, {
    base_sha: version.base_commit_sha, head_sha: version.head_commit_sha, start_sha: version.start_commit_sha,
  });
});

await step('its changed files carry the real diff', async () => {
  const diffs = await bot.MergeRequests.allDiffs(project, seen.mr);
  assert.deepEqual(diffs.map((d) => [d.new_path, d.new_file]), [['src/total.txt', false]]);
  assert.match(diffs[0].diff, /-line 10\n\+line ten/);
});

const position = (more) => ({
  positionType: 'text',
  baseSha: seen.version.base_commit_sha, headSha: seen.version.head_commit_sha, startSha: seen.version.start_commit_sha,
  oldPath: 'src/total.txt', newPath: 'src/total.txt', ...more,
});
const discuss = (more, body = 'expected 10') =>
  bot.MergeRequestDiscussions.create(project, seen.mr, body, { position: position(more) });

await step('a thread is put on an added line, a removed line and an unchanged one', async () => {
  const added = await discuss({ newLine: '10' });
  seen.discussion = added.id;
  assert.deepEqual([added.notes[0].type, added.notes[0].resolvable, added.notes[0].resolved], ['DiffNote', true, false]);
  assert.deepEqual([added.notes[0].position.new_line, added.notes[0].position.old_line], [10, null]);
  const removed = await discuss({ oldLine: '10' });
  assert.equal(removed.notes[0].position.old_line, 10);
  const unchanged = await discuss({ oldLine: '9', newLine: '9' });
  assert.deepEqual([unchanged.notes[0].position.old_line, unchanged.notes[0].position.new_line], [9, 9]);
});

await step('a line outside the diff is refused with 400', async () => {
  const { status, text } = await refusal(discuss({ newLine: '40' }));
  assert.equal(status, 400);
  assert.match(text, /line_code|position/);
});

await step('an unchanged line without its old number, and a wrong sha, are refused', async () => {
  assert.equal((await refusal(discuss({ newLine: '9' }))).status, 400);
  assert.equal((await refusal(discuss({ newLine: '10', headSha: '0'.repeat(40) }))).status, 400);
});

await step('a file outside the diff is refused', async () => {
  assert.equal((await refusal(discuss({ newLine: '1', oldPath: 'README.md', newPath: 'README.md' }))).status, 400);
});

await step('a thread is answered and resolved', async () => {
  await alice.MergeRequestDiscussions.addNote(project, seen.mr, seen.discussion, 'on it');
  await bot.MergeRequestDiscussions.resolve(project, seen.mr, seen.discussion, true);
  const thread = await bot.MergeRequestDiscussions.show(project, seen.mr, seen.discussion);
  assert.deepEqual(thread.notes.map((n) => n.body), ['expected 10', 'on it']);
  assert.equal(thread.notes[0].resolved, true);
  assert.equal(thread.notes[0].resolved_by.username, sandbox.users.bot.login);
});

await step('a note under the merge request is an event with the merge request', async () => {
  const note = await alice.MergeRequestNotes.create(project, seen.mr, 'swage: fix the name');
  const { body } = await hook('Note Hook', (b) => b.object_attributes.id === note.id);
  assert.equal(body.merge_request.iid, seen.mr);
  assert.equal(body.object_attributes.noteable_type, 'MergeRequest');
  await bot.MergeRequestAwardEmojis.award(project, seen.mr, 'eyes');
  await bot.MergeRequestNoteAwardEmojis.award(project, seen.mr, note.id, 'thumbsup');
});

await step('a status is set; the same state again cannot transition', async () => {
  const set = (state) => bot.Commits.editStatus(project, seen.head, state, { name: 'swage/tests', description: 'ctest' });
  await set('running');
  const { status, text } = await refusal(set('running'));
  assert.equal(status, 400);
  assert.match(text, /Cannot transition status/);
  await set('success');
  const all = await bot.Commits.allStatuses(project, seen.head);
  assert.deepEqual(all.map((s) => [s.name, s.status]), [['swage/tests', 'success']]);
});

await step('an unknown state is refused', async () => {
  assert.equal((await refusal(bot.Commits.editStatus(project, seen.head, 'nonsense'))).status, 400);
});

await step('a human approves', async () => {
  const approvals = await alice.MergeRequestApprovals.approve(project, seen.mr);
  assert.deepEqual(approvals.approved_by.map((a) => a.user.username), [sandbox.users.alice.login]);
});

await step('merging with another sha than the head is 409', async () => {
  assert.equal((await refusal(alice.MergeRequests.merge(project, seen.mr, { sha: seen.base }))).status, 409);
});

await step('a guest may not merge', async () => {
  assert.ok([401, 403].includes((await refusal(reader.MergeRequests.merge(project, seen.mr))).status));
});

await step('the merge request merges into main, and its branch goes', async () => {
  const mr = await alice.MergeRequests.merge(project, seen.mr, { sha: seen.head, shouldRemoveSourceBranch: true });
  assert.equal(mr.state, 'merged');
  assert.equal((await alice.Branches.show(project, 'main')).commit.id, mr.merge_commit_sha);
  await hookAction('Merge Request Hook', 'merge');
  assert.equal((await refusal(alice.Branches.show(project, kBranch))).status, 404);
});

await step('"Closes #N" in its description closed the issue', async () => {
  assert.equal((await bot.Issues.show(seen.issue, { projectId: project })).state, 'closed');
  await hook('Issue Hook', (b) => b.object_attributes.action === 'close' && b.object_attributes.iid === seen.issue);
});

await step('merging twice is 405', async () => {
  assert.equal((await refusal(alice.MergeRequests.merge(project, seen.mr))).status, 405);
});

await step('a label is taken away again, and the change says so', async () => {
  await alice.Issues.edit(project, seen.issue, { removeLabels: 'swage' });
  const { body } = await hook('Issue Hook', (b) => b.changes?.labels?.current.length === 0);
  assert.deepEqual(body.changes.labels.previous.map((l) => l.title), ['swage']);
});

await step('the hook is listed', async () => {
  const all = await alice.ProjectHooks.all(project);
  assert.deepEqual(all.map((h) => [h.id, h.url]), [[seen.hook, receiver.url]]);
});

await step('a signing secret adds the signed form over id, time and body', async () => {
  const key = Buffer.from('0123456789abcdef0123456789abcdef');
  const signed = await new Receiver().start();
  await alice.ProjectHooks.add(project, signed.url, {
    token: kToken, signingToken: `whsec_${key.toString('base64')}`, issuesEvents: true,
  });
  await alice.Issues.create(project, 'Signed');
  const { headers, raw } = await signed.waitFor('Issue Hook', (d) => d.event === 'Issue Hook');
  const id = headers['webhook-id'];
  const over = Buffer.concat([Buffer.from(`${id}.${headers['webhook-timestamp']}.`), raw]);
  assert.equal(headers['webhook-signature'], `v1,${createHmac('sha256', key).update(over).digest('base64')}`);
  signed.stop();
});

if (samples) {
  await step('the payloads have the shape of the ones that GitLab documents', async () => {
    const kinds = {};
    for (const name of readdirSync(samples).filter((n) => n.endsWith('.json'))) {
      const sample = JSON.parse(readFileSync(path.join(samples, name), 'utf8'));
      (kinds[sample.object_kind] ??= []).push(sample);
    }
    // The documentation abridges: GitLab words projects, issues and merge requests alike in every hook.
    const parts = {
      note: [...kinds.issue.map((s) => ({ issue: s.object_attributes })),
        ...kinds.merge_request.map((s) => ({ merge_request: s.object_attributes })),
        ...kinds.issue.map((s) => ({ project: s.project }))],
      push: kinds.issue.map((s) => ({ project: s.project })),
      merge_request: kinds.issue.map((s) => ({ project: s.project })),
    };
    const problems = receiver.deliveries.flatMap((d) =>
      differences(d.body, shapeOf([...kinds[d.body.object_kind], ...(parts[d.body.object_kind] ?? [])])).map((p) => `${d.summary}${p}`));
    assert.equal([...new Set(problems)].join('\n'), '');
  });
} else {
  steps.skip('the shape of the payloads', 'the samples of real payloads are not here');
}

if (contract) {
  await step(`${calls.size} kinds of replies keep GitLab's contract`, async () => {
    assert.equal(calls.violations.join('\n'), '');
  });
  console.log(`${calls.pardoned} violations of parts that the description gets wrong are pardoned`);
  console.log(`not covered by the contract: ${calls.uncovered.length}`);
  for (const call of calls.uncovered) console.log(`        ${call}`);
}

receiver.stop();
await prism?.stop();
await sandbox.stop();
process.exitCode = steps.finish();
