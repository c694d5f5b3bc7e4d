// A day on the sandbox forge: the plan, played by a client that nobody here wrote, with a real server beside it.
//
// usage: node day.mjs octokit|gh|gitbeaker|gitea     SWAGE_SANDBOX, SWAGE_SERVER name the programs, SWAGE_NODE the
// packages. Prints a line for each issue and, last, "N passed, M failed, K skipped".
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { startSandbox } from '../contract/lib/sandbox.mjs';
import { Steps } from '../contract/lib/steps.mjs';
import { Git } from './git.mjs';
import { last, plan } from './plan.mjs';
import { Server } from './server.mjs';
import { Stage, Story } from './story.mjs';
import { untilHolds } from './until.mjs';

// So many issues are on people's minds at once.
const kAtOnce = 10;

const client = process.argv[2];
const steps = new Steps(client);
const scratch = mkdtempSync(path.join(tmpdir(), 'swage-day-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
// Whoever is stopped cleans up, too.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(1));

const { connect, dialect } = await import(`./people/${client}.mjs`);
const sandbox = await startSandbox(dialect);
const server = await Server.make(process.env.SWAGE_SERVER, dialect, sandbox, scratch);
const as = await connect(sandbox, scratch);
const people = Object.fromEntries(Object.entries(sandbox.users).map(([name, user]) => [name, as(user)]));
const stage = new Stage({ people, users: sandbox.users, git: new Git(sandbox, sandbox.users.alice, scratch), meeting: server.meeting });

await server.start();
await people.alice.hook(server.hook, server.secret);

/// Plays the rows, so many at once; returns the stories, each with its `failure` if it had one.
async function playAll(rows) {
  const stories = rows.map((row) => new Story(row, stage));
  const waiting = [...stories];
  const worker = async () => {
    for (let story = waiting.shift(); story; story = waiting.shift()) {
      await story.play().catch((error) => { story.failure = error; });
    }
  };
  await Promise.all(Array.from({ length: kAtOnce }, worker));
  return stories;
}

const evening = async () => [await server.tasks(), await people.alice.pulls()];

/// Each story came through and has the end that the plan wants.
async function compare(stories, when) {
  for (const story of stories) {
    await steps.step(`${story.row.title}${when}`, async () => {
      if (story.failure) throw story.failure;
      await untilHolds(async () => story.expectEnd(...await evening()));
    });
  }
}

/// What no single issue shows.
async function compareWhole(stories, when) {
  const [tasks, pulls] = await evening();
  await steps.step(`there is no pull request, branch or task too many${when}`, async () => {
    const count = (of) => stories.reduce((sum, { row }) => sum + row.end[of].length, 0);
    assert.deepEqual([tasks.length, pulls.length], [count('tasks'), count('pulls')]);
    const known = new Set(['main', ...pulls.map((pull) => pull.branch)]);
    assert.deepEqual((await stage.git.branches()).filter((branch) => !known.has(branch)), []);
  });
  await steps.step(`nothing was given up, nothing lies about${when}`, async () => {
    assert.equal(await server.swage('parked'), 'nothing was given up\n');
    assert.deepEqual(server.workspaces(), []);
  });
}

const stories = await playAll(plan);
stories.push(...await playAll([last('The last one of the day')]));
await compare(stories, '');
await compareWhole(stories, '');

await steps.step('the server comes to its end', async () => assert.equal(await server.stop(), 0));
await server.start();
stories.push(...await playAll([last('The first one of the next day')]));
await steps.step('the next morning all is as it was', async () => {
  const [tasks, pulls] = await evening();
  for (const story of stories) await story.expectEnd(tasks, pulls);
});
await compareWhole(stories, ' the next morning');
await steps.step('the server comes to its end again', async () => assert.equal(await server.stop(), 0));
if (steps.failed > 0) console.log(server.lastWords());
await sandbox.stop();
process.exitCode = steps.finish();
