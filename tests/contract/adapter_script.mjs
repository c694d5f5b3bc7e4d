// Every kind of request that our own GitHub adapter sends, as an account and as an App, judged by GitHub's
// OpenAPI description: the conformance suite runs against the sandbox, what it sent is recorded, and one of
// each kind passes through Prism. What the answer would be is not looked at here.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { startPrism } from './lib/contract.mjs';
import { startSandbox } from './lib/sandbox.mjs';
import { Steps } from './lib/steps.mjs';

const steps = new Steps("our adapter's requests through the GitHub contract");
// The sandbox keeps no more of a body.
const kLongestRecorded = 64 << 10;
const kTests = 'Sandbox/ForgeSuite.*/github:Sandbox/ForgeSuite.*/github_app:GitHubAppForgeTest.*';

function record() {
  const folder = mkdtempSync(join(tmpdir(), 'swage-contract-'));
  try {
    const file = join(folder, 'requests');
    const program = join(dirname(process.env.SWAGE_SANDBOX), 'swage_conformance_tests');
    const ran = spawnSync(program, [`--gtest_filter=${kTests}`, '--gtest_brief=1'], {
      env: { ...process.env, SWAGE_FORGE_RECORD: file },
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    assert.equal(ran.status, 0, `${program}: ${ran.error ?? ran.stdout.slice(-2000)}`);
    return readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// One of each method, path and set of fields; names and numbers of the path do not count.
function kindOf({ method, target, body }) {
  const [path, query = ''] = target.split('?');
  const fields = body.startsWith('{') ? Object.keys(JSON.parse(body)).sort().join() : '';
  const names = [...new URLSearchParams(query).keys()].sort().join();
  return `${method} ${path.replace(/[0-9a-f]{40}/g, ':sha').replace(/\/\d+(?=\/|$)/g, '/:n')
    .replace(/^\/repos\/[^/]+\/[^/]+/, '/repos/:repo').replace(/\/(branches|users|contents|collaborators)\/.*?(?=\/permission|$)/, '/$1/:name')} ?${names} {${fields}}`;
}

const kinds = new Map();
await steps.step('the conformance suite runs and its requests are recorded', () => {
  for (const request of record()) {
    const forGit = /\/(info\/refs|git-upload-pack|git-receive-pack)/.test(request.target);
    const cut = Buffer.byteLength(request.body) >= kLongestRecorded;
    if (!forGit && !cut && !kinds.has(kindOf(request))) kinds.set(kindOf(request), request);
  }
  assert.ok(kinds.size > 30, `only ${kinds.size} kinds of requests`);
});

const sandbox = await startSandbox('github');
const prism = await startPrism(process.env.SWAGE_CONTRACT, sandbox.api_url);
const uncovered = [];
const complaints = [];
for (const [kind, request] of kinds) {
  const response = await fetch(prism.url + request.target, {
    method: request.method,
    headers: {
      authorization: `Bearer ${sandbox.users.bot.token}`,
      accept: 'application/vnd.github+json',
      ...(request.body ? { 'content-type': 'application/json' } : {}),
    },
    ...(request.body ? { body: request.body } : {}),
    redirect: 'manual',
  });
  await response.arrayBuffer();
  const header = response.headers.get('sl-violations') ?? '[]';
  const violations = header.startsWith('[') ? JSON.parse(header) : [];
  if (violations.some((v) => v.message === 'Selected route not found')) {
    uncovered.push(kind);
    continue;
  }
  for (const v of violations.filter((one) => one.location[0] === 'request')) {
    complaints.push(`${kind}: ${v.location.join('.')}: ${v.message}`);
  }
}
console.log(`        ${kinds.size} kinds of requests; not in the description:`);
for (const kind of uncovered) console.log(`          ${kind}`);
await steps.step('none of them violates the description', () => assert.deepEqual(complaints, []));
await prism.stop();
await sandbox.stop();
process.exit(steps.finish());
