// The main job by hand, on the GitHub dialect, with a client that nobody here wrote:
// issue -> label -> branch -> commit -> pull request -> review -> comment -> status -> merge -> deliveries.
//
// With SWAGE_CONTRACT set to GitHub's OpenAPI description, every reply also passes through Prism.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';

import { CallTable, startPrism } from './lib/contract.mjs';
import { load, readJson } from './lib/load.mjs';
import { Receiver } from './lib/receiver.mjs';
import { startSandbox } from './lib/sandbox.mjs';
import { differences, shapeOf } from './lib/shape.mjs';
import { refusal, Steps } from './lib/steps.mjs';

const { Octokit } = await load('@octokit/rest');
const contract = process.env.SWAGE_CONTRACT;
const steps = new Steps(contract ? '@octokit/rest through the GitHub contract' : '@octokit/rest');
const step = (what, act) => steps.step(what, act);

const sandbox = await startSandbox('github');
const prism = contract ? await startPrism(contract, sandbox.api_url) : null;
const calls = new CallTable();
const receiver = await new Receiver().start();
const client = (auth) => new Octokit({ auth, baseUrl: prism?.url ?? sandbox.api_url, log: quiet() });
const alice = client(sandbox.users.alice.token);
const bot = client(sandbox.users.bot.token);
const reader = client(sandbox.users.reader.token);
const repo = { owner: sandbox.owner, repo: sandbox.repo };
const kSecret = "It's a Secret to Everybody";
const kBranch = 'swage/issue-1';
const marker = '<!-- swage:status 1 -->';
const seen = {};
// GitHub sends these today; the published samples are older, or have none of the kind.
const kNotInSamples = /\.(user_view_type|has_discussions|closed_by|state_reason|timeline_url|verified_at)$|issue\.pull_request$|edited\.changes$|comment\.(subject_type|in_reply_to_id)$|pull_request\.(auto_merge|draft)$/;

function quiet() {
  const silent = () => {};
  return { debug: silent, info: silent, warn: silent, error: silent };
}
const hook = (event, action) =>
  receiver.waitFor(`${event}.${action}`, (d) => d.event === event && d.action === action);

await step('a token says who it belongs to', async () => {
  const { data } = await bot.users.getAuthenticated();
  assert.equal(data.login, sandbox.users.bot.login);
  assert.equal(data.id, sandbox.users.bot.id);
});

await step('a wrong token is refused with 401', async () => {
  const { status } = await refusal(client('not-a-token').users.getAuthenticated());
  assert.equal(status, 401);
});

await step('the repository has an id, a default branch and a clone URL', async () => {
  const { data } = await alice.repos.get(repo);
  assert.equal(data.full_name, `${repo.owner}/${repo.repo}`);
  assert.equal(data.default_branch, 'main');
  assert.equal(data.id, sandbox.repo_id);
  assert.match(data.clone_url, /\.git$/);
});

await step('an unknown repository is 404', async () => {
  assert.equal((await refusal(alice.repos.get({ ...repo, repo: 'absent' }))).status, 404);
});

await step('roles are told apart, a stranger is 404', async () => {
  const role = async (username) =>
    (await alice.repos.getCollaboratorPermissionLevel({ ...repo, username })).data.role_name;
  assert.equal(await role(sandbox.users.alice.login), 'admin');
  assert.equal(await role(sandbox.users.bot.login), 'write');
  assert.equal(await role(sandbox.users.reader.login), 'read');
  const gone = alice.repos.getCollaboratorPermissionLevel({ ...repo, username: 'no-such-user' });
  assert.equal((await refusal(gone)).status, 404);
});

await step('a webhook is created and pings its receiver', async () => {
  const { data } = await alice.repos.createWebhook({
    ...repo,
    config: { url: receiver.url, content_type: 'json', secret: kSecret },
    events: ['*'],
  });
  seen.hook = data.id;
  assert.equal(data.active, true);
  assert.notEqual(data.config.secret, kSecret, 'the secret must not be shown');
  await receiver.waitFor('ping', (d) => d.event === 'ping');
});

await step('an issue is opened', async () => {
  const { data } = await alice.issues.create({ ...repo, title: 'Total is off by one', body: 'See `total`.' });
  seen.issue = data.number;
  assert.equal(data.state, 'open');
  assert.equal(data.user.login, sandbox.users.alice.login);
  const delivery = await hook('issues', 'opened');
  assert.equal(delivery.body.issue.number, seen.issue);
});

await step('its webhook is signed over the raw bytes and names its delivery', async () => {
  const { headers, raw } = await hook('issues', 'opened');
  const good = `sha256=${createHmac('sha256', kSecret).update(raw).digest('hex')}`;
  assert.equal(headers['x-hub-signature-256'], good);
  assert.match(headers['x-github-delivery'], /^[0-9a-f]{8}-[0-9a-f]{4}-/);
  assert.match(headers['user-agent'], /^GitHub-Hookshot\//);
  assert.match(headers['content-type'], /^application\/json/);
});

await step('a label is added, and the event says which one', async () => {
  const { data } = await alice.issues.addLabels({ ...repo, issue_number: seen.issue, labels: ['swage'] });
  assert.deepEqual(data.map((l) => l.name), ['swage']);
  const { body } = await hook('issues', 'labeled');
  assert.equal(body.label.name, 'swage');
  assert.equal(body.sender.login, sandbox.users.alice.login);
  assert.equal(body.repository.id, sandbox.repo_id);
});

await step('reading the issue shows the label', async () => {
  const { data } = await bot.issues.get({ ...repo, issue_number: seen.issue });
  assert.deepEqual(data.labels.map((l) => l.name), ['swage']);
  assert.equal(data.pull_request, undefined);
});

await step('a reader may not label', async () => {
  const labels = ['mine'];
  const { status } = await refusal(reader.issues.addLabels({ ...repo, issue_number: seen.issue, labels }));
  assert.equal(status, 403);
});

await step('a reaction is made once: 201, then 200 with the same id', async () => {
  const react = () => bot.reactions.createForIssue({ ...repo, issue_number: seen.issue, content: 'eyes' });
  const first = await react();
  const second = await react();
  assert.deepEqual([first.status, second.status], [201, 200]);
  assert.equal(first.data.id, second.data.id);
});

await step('a sticky comment is created, found by paging, and edited in place', async () => {
  const { data } = await bot.issues.createComment({ ...repo, issue_number: seen.issue, body: `${marker}\nqueued` });
  seen.comment = data.id;
  await hook('issue_comment', 'created');
  await bot.issues.updateComment({ ...repo, comment_id: seen.comment, body: `${marker}\nrunning` });
  const all = await bot.paginate(bot.issues.listComments, { ...repo, issue_number: seen.issue, per_page: 1 });
  const ours = all.filter((c) => c.body.includes(marker));
  assert.deepEqual(ours.map((c) => [c.id, c.body]), [[seen.comment, `${marker}\nrunning`]]);
});

await step('a list is cut into pages that link to each other', async () => {
  for (let i = 0; i < 5; i += 1) {
    await alice.issues.createComment({ ...repo, issue_number: seen.issue, body: `note ${i}` });
  }
  const page = await bot.issues.listComments({ ...repo, issue_number: seen.issue, per_page: 2 });
  assert.equal(page.data.length, 2);
  assert.match(page.headers.link, /rel="next"/);
  const all = await bot.paginate(bot.issues.listComments, { ...repo, issue_number: seen.issue, per_page: 2 });
  assert.equal(all.length, 6);
  assert.equal(new Set(all.map((c) => c.id)).size, 6);
});

await step('a comment takes reactions too', async () => {
  const { status } = await bot.reactions.createForIssueComment({ ...repo, comment_id: seen.comment, content: 'rocket' });
  assert.equal(status, 201);
});

await step('an over-long comment is refused with 422', async () => {
  const body = 'x'.repeat(65_537);
  assert.equal((await refusal(bot.issues.createComment({ ...repo, issue_number: seen.issue, body }))).status, 422);
});

await step('a branch is made from the head of main', async () => {
  const { data } = await bot.git.getRef({ ...repo, ref: 'heads/main' });
  seen.base = data.object.sha;
  const made = await bot.git.createRef({ ...repo, ref: `refs/heads/${kBranch}`, sha: seen.base });
  assert.equal(made.status, 201);
  assert.equal(made.data.ref, `refs/heads/${kBranch}`);
});

await step('the same branch again is 422', async () => {
  const again = bot.git.createRef({ ...repo, ref: `refs/heads/${kBranch}`, sha: seen.base });
  assert.equal((await refusal(again)).status, 422);
});

await step('a pull request without commits is 422', async () => {
  const empty = bot.pulls.create({ ...repo, title: 'Empty', head: kBranch, base: 'main' });
  const { status, text } = await refusal(empty);
  assert.equal(status, 422);
  assert.match(text, /No commits between/);
});

await step('a commit lands on the branch and is pushed as an event', async () => {
  const { data: file } = await bot.repos.getContent({ ...repo, path: 'src/total.txt', ref: kBranch });
  const before = Buffer.from(file.content, 'base64').toString('utf8');
  const after = before.replace('line 10\n', 'line ten\n');
  assert.notEqual(after, before);
  const { data } = await bot.repos.createOrUpdateFileContents({
    ...repo,
    path: 'src/total.txt',
    message: 'Count to ten',
    branch: kBranch,
    sha: file.sha,
    content: Buffer.from(after).toString('base64'),
  });
  seen.head = data.commit.sha;
  const { body } = await receiver.waitFor('push', (d) => d.event === 'push' && d.body.after === seen.head);
  assert.equal(body.ref, `refs/heads/${kBranch}`);
  assert.equal(body.before, seen.base);
});

await step('a pull request is opened', async () => {
  const { data } = await bot.pulls.create({
    ...repo, title: 'Count to ten', body: `Fixes #${seen.issue}`, head: kBranch, base: 'main',
  });
  seen.pull = data.number;
  assert.equal(data.draft, false);
  assert.equal(data.head.sha, seen.head);
  assert.equal(data.base.sha, seen.base);
  assert.notEqual(seen.pull, seen.issue, 'issues and pull requests share one counter');
  const { body } = await hook('pull_request', 'opened');
  assert.equal(body.number, seen.pull);
});

await step('a second pull request for the branch is 422 "already exists"', async () => {
  const { status, text } = await refusal(bot.pulls.create({ ...repo, title: 'x', head: kBranch, base: 'main' }));
  assert.equal(status, 422);
  assert.match(text, /A pull request already exists/);
});

await step('it is found by owner:branch, and the filter without owner is ignored', async () => {
  const find = async (head) => (await bot.pulls.list({ ...repo, state: 'all', head })).data.map((p) => p.number);
  assert.deepEqual(await find(`${repo.owner}:${kBranch}`), [seen.pull]);
  assert.deepEqual(await find(`${repo.owner}:absent`), []);
  assert.deepEqual(await find('absent'), [seen.pull]);
});

await step('its files carry the real patch', async () => {
  const { data } = await bot.pulls.listFiles({ ...repo, pull_number: seen.pull });
  assert.deepEqual(data.map((f) => [f.filename, f.status, f.additions, f.deletions]), [['src/total.txt', 'modified', 1, 1]]);
  assert.match(data[0].patch, /^@@ .*\n[\s\S]*-line 10\n\+line ten/);
});

await step('a review with a line in the diff is accepted', async () => {
  const { data } = await bot.pulls.createReview({
    ...repo, pull_number: seen.pull, commit_id: seen.head, event: 'COMMENT', body: 'Gate `tests` failed.',
    comments: [{ path: 'src/total.txt', line: 10, side: 'RIGHT', body: 'expected 10' }],
  });
  seen.review = data.id;
  assert.equal(data.state, 'COMMENTED');
  assert.equal(data.commit_id, seen.head);
  await hook('pull_request_review', 'submitted');
});

await step('its line comments are listed where they were put', async () => {
  const { data } = await bot.pulls.listReviewComments({ ...repo, pull_number: seen.pull });
  assert.deepEqual(data.map((c) => [c.path, c.line, c.side, c.body, c.pull_request_review_id]),
    [['src/total.txt', 10, 'RIGHT', 'expected 10', seen.review]]);
  assert.match(data[0].diff_hunk, /^@@ /);
  seen.lineComment = data[0].id;
});

await step('one line outside the diff refuses the whole review with 422', async () => {
  const review = bot.pulls.createReview({
    ...repo, pull_number: seen.pull, commit_id: seen.head, event: 'COMMENT', body: 'x',
    comments: [
      { path: 'src/total.txt', line: 10, side: 'RIGHT', body: 'good' },
      { path: 'src/total.txt', line: 40, side: 'RIGHT', body: 'far away' },
    ],
  });
  assert.equal((await refusal(review)).status, 422);
  const { data } = await bot.pulls.listReviewComments({ ...repo, pull_number: seen.pull });
  assert.equal(data.length, 1, 'nothing of a refused review is kept');
});

await step('a file outside the diff is refused too, a file comment is taken', async () => {
  const one = (more) => bot.pulls.createReviewComment({ ...repo, pull_number: seen.pull, commit_id: seen.head, body: 'b', ...more });
  assert.equal((await refusal(one({ path: 'README.md', line: 1, side: 'RIGHT' }))).status, 422);
  const { data } = await one({ path: 'src/total.txt', subject_type: 'file' });
  assert.equal(data.subject_type, 'file');
});

await step('the author of a pull request may not approve it', async () => {
  const own = bot.pulls.createReview({ ...repo, pull_number: seen.pull, event: 'APPROVE' });
  assert.equal((await refusal(own)).status, 422);
});

await step('a line comment takes a reply, a reaction and an edit', async () => {
  const reply = await alice.pulls.createReplyForReviewComment({
    ...repo, pull_number: seen.pull, comment_id: seen.lineComment, body: 'on it',
  });
  assert.equal(reply.data.in_reply_to_id, seen.lineComment);
  const reaction = await alice.reactions.createForPullRequestReviewComment({
    ...repo, comment_id: seen.lineComment, content: '+1',
  });
  assert.equal(reaction.status, 201);
  const { data } = await bot.pulls.updateReviewComment({ ...repo, comment_id: seen.lineComment, body: 'expected ten' });
  assert.equal(data.body, 'expected ten');
});

await step('a comment under the pull request is an issue comment', async () => {
  const body = '/swage fix the name';
  await alice.issues.createComment({ ...repo, issue_number: seen.pull, body });
  const delivery = await receiver.waitFor('comment on the pull request',
    (d) => d.event === 'issue_comment' && d.body.issue.number === seen.pull);
  assert.equal(delivery.body.comment.body, body);
  assert.ok(delivery.body.issue.pull_request.url, 'the payload says that the thread is a pull request');
});

await step('a status is set on the head and combined', async () => {
  const set = (state) => bot.repos.createCommitStatus({
    ...repo, sha: seen.head, state, context: 'swage/tests', description: 'ctest', target_url: 'http://127.0.0.1:1/log',
  });
  await set('pending');
  await set('success');
  const { data } = await bot.repos.getCombinedStatusForRef({ ...repo, ref: seen.head });
  assert.equal(data.state, 'success');
  assert.deepEqual(data.statuses.map((s) => [s.context, s.state]), [['swage/tests', 'success']]);
});

await step('an over-long status description is 422', async () => {
  const long = bot.repos.createCommitStatus({ ...repo, sha: seen.head, state: 'error', context: 'x', description: 'd'.repeat(141) });
  assert.equal((await refusal(long)).status, 422);
});

await step('check runs are for apps: a personal token gets 403', async () => {
  const run = alice.checks.create({ ...repo, name: 'swage/tests', head_sha: seen.head });
  assert.equal((await refusal(run)).status, 403);
});

await step('an app makes a check run, completes it with annotations, and finds it on the head', async () => {
  const { data: run } = await bot.checks.create({ ...repo, name: 'swage/lint', head_sha: seen.head, status: 'in_progress' });
  const { data: done } = await bot.checks.update({
    ...repo, check_run_id: run.id, status: 'completed', conclusion: 'neutral',
    output: {
      title: '1 advisory finding', summary: 'Fine.',
      annotations: [{ path: 'src/total.txt', start_line: 10, end_line: 10, annotation_level: 'notice', message: 'ten' }],
    },
  });
  assert.deepEqual([done.status, done.conclusion], ['completed', 'neutral']);
  const { data } = await bot.checks.listForRef({ ...repo, ref: seen.head });
  assert.deepEqual(data.check_runs.map((c) => [c.name, c.conclusion]), [['swage/lint', 'neutral']]);
});

await step('title, body and base text of a pull request are edited', async () => {
  const { data } = await bot.pulls.update({ ...repo, pull_number: seen.pull, title: 'Count to ten, really', body: `Fixes #${seen.issue}` });
  assert.equal(data.title, 'Count to ten, really');
});

await step('a human approves', async () => {
  const { data } = await alice.pulls.createReview({ ...repo, pull_number: seen.pull, event: 'APPROVE', body: 'Good.' });
  assert.equal(data.state, 'APPROVED');
  const { data: reviews } = await bot.pulls.listReviews({ ...repo, pull_number: seen.pull });
  assert.deepEqual(reviews.map((r) => r.state), [...Array(reviews.length - 1).fill('COMMENTED'), 'APPROVED']);
});

await step('merging with another sha than the head is 409', async () => {
  const sha = seen.base;
  assert.equal((await refusal(alice.pulls.merge({ ...repo, pull_number: seen.pull, sha }))).status, 409);
});

await step('a reader may not merge', async () => {
  const { status } = await refusal(reader.pulls.merge({ ...repo, pull_number: seen.pull }));
  assert.ok([403, 404].includes(status), `got ${status}`);
});

await step('the pull request becomes mergeable and merges into main', async () => {
  for (let i = 0; i < 20; i += 1) {
    const { data } = await alice.pulls.get({ ...repo, pull_number: seen.pull });
    if (data.mergeable) break;
  }
  const { data } = await alice.pulls.merge({ ...repo, pull_number: seen.pull, sha: seen.head });
  assert.equal(data.merged, true);
  const main = await alice.git.getRef({ ...repo, ref: 'heads/main' });
  assert.equal(main.data.object.sha, data.sha);
  const after = await alice.pulls.get({ ...repo, pull_number: seen.pull });
  assert.deepEqual([after.data.state, after.data.merged], ['closed', true]);
  assert.equal((await hook('pull_request', 'closed')).body.pull_request.merged, true);
});

await step('"Fixes #N" in its body closed the issue', async () => {
  const { data } = await bot.issues.get({ ...repo, issue_number: seen.issue });
  assert.equal(data.state, 'closed');
  assert.equal((await hook('issues', 'closed')).body.issue.number, seen.issue);
});

await step('merging twice is 405', async () => {
  assert.equal((await refusal(alice.pulls.merge({ ...repo, pull_number: seen.pull }))).status, 405);
});

await step('a draft is told apart and cannot be merged; closing is final', async () => {
  const head = 'swage/draft';
  await bot.git.createRef({ ...repo, ref: `refs/heads/${head}`, sha: seen.base });
  await bot.repos.createOrUpdateFileContents({
    ...repo, path: 'NEW.md', message: 'Add a file', branch: head, content: Buffer.from('new\n').toString('base64'),
  });
  const { data } = await bot.pulls.create({ ...repo, title: 'Draft', head, base: 'main', draft: true });
  assert.equal(data.draft, true);
  assert.equal((await refusal(alice.pulls.merge({ ...repo, pull_number: data.number }))).status, 405);
  const closed = await alice.pulls.update({ ...repo, pull_number: data.number, state: 'closed' });
  assert.deepEqual([closed.data.state, closed.data.merged], ['closed', false]);
});

await step('a label is taken away again, which is an event', async () => {
  await alice.issues.removeLabel({ ...repo, issue_number: seen.issue, name: 'swage' });
  assert.equal((await hook('issues', 'unlabeled')).body.label.name, 'swage');
});

await step('the deliveries of the hook are listed and one is sent again under its id', async () => {
  const labeled = await hook('issues', 'labeled');
  const guid = labeled.headers['x-github-delivery'];
  const { data: deliveries } = await alice.repos.listWebhookDeliveries({ ...repo, hook_id: seen.hook, per_page: 100 });
  const entry = deliveries.find((d) => d.guid === guid);
  assert.deepEqual([entry.event, entry.action, entry.status_code, entry.redelivery], ['issues', 'labeled', 202, false]);
  const before = receiver.deliveries.length;
  await alice.repos.redeliverWebhookDelivery({ ...repo, hook_id: seen.hook, delivery_id: entry.id });
  const again = await receiver.waitFor('the redelivery',
    (d) => d.headers['x-github-delivery'] === guid && receiver.deliveries.indexOf(d) >= before);
  assert.deepEqual(again.raw, labeled.raw);
});

await step('the payloads have the shape of the ones that GitHub sent', async () => {
  const examples = readJson('@octokit/webhooks-examples');
  const problems = [];
  for (const name of new Set(receiver.deliveries.map((d) => d.event))) {
    const real = examples.find((e) => e.name === name);
    if (!real) continue;
    const shape = shapeOf(real.examples);
    for (const d of receiver.deliveries.filter((each) => each.event === name)) {
      const strange = differences(d.body, shape).map((p) => `${d.summary}${p}`)
        .filter((p) => !kNotInSamples.test(p.split(':')[0]));
      problems.push(...strange);
    }
  }
  assert.equal([...new Set(problems)].join('\n'), '');
});

if (contract) {
  await step(`${calls.size} kinds of replies keep GitHub's contract`, async () => {
    assert.equal(calls.violations.join('\n'), '');
  });
  console.log(`not covered by the contract: ${calls.uncovered.length}`);
  for (const call of calls.uncovered) console.log(`        ${call}`);
}

receiver.stop();
await prism?.stop();
await sandbox.stop();
process.exitCode = steps.finish();
