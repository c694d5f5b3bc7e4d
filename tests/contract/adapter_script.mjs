// Every request that our adapters can send, sent once to the forge's own OpenAPI description.
//
// The conformance suite makes the adapters say all they can, on GitHub as an account and as an App, and writes
// down what they asked. One of each kind goes to Prism, which knows the description: it must find nothing wrong
// with the path, the query or the body. What the description does not know is listed. SWAGE_CONTRACTS is the
// directory of the descriptions; a forge without one is skipped.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { parseViolations, startPrism } from './lib/contract.mjs';
import { Steps } from './lib/steps.mjs';

const kSuiteMs = 240_000;
const kLongestRecorded = 64 << 10;
// What a request must carry besides what it says, and the least that has to be judged: fewer means that the
// recording, not the adapter, has become poorer.
const kForges = {
  github: {
    tests: 'Sandbox/ForgeSuite.*/github:Sandbox/ForgeSuite.*/github_app:GitHubAppForgeTest.*',
    headers: { authorization: 'Bearer t', accept: 'application/vnd.github+json' },
    least: 35,
  },
  gitlab: { tests: 'Sandbox/ForgeSuite.*/gitlab', headers: { 'private-token': 't' }, least: 15 },
  gitea: {
    tests: 'Sandbox/ForgeSuite.*/gitea',
    headers: { authorization: 'token t', accept: 'application/json' },
    least: 35,
  },
};

const steps = new Steps('our adapters against the descriptions');
const scratch = mkdtempSync(path.join(tmpdir(), 'swage-adapters-'));

/// What the adapter of this forge asked in the whole suite, each kind of request once.
function recorded(forge, tests) {
  const log = path.join(scratch, `${forge}.jsonl`);
  const program = path.join(path.dirname(process.env.SWAGE_SANDBOX), 'swage_conformance_tests');
  const run = spawnSync(program, [`--gtest_filter=${tests}`, '--gtest_brief=1'], {
    env: { ...process.env, SWAGE_FORGE_RECORD: log },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: kSuiteMs,
  });
  assert.equal(run.status, 0, `the conformance suite failed: ${String(run.stdout).slice(-800)}`);
  const kinds = new Map();
  for (const line of readFileSync(log, 'utf8').split('\n').filter(Boolean)) {
    const request = JSON.parse(line);
    const kind = kindOf(request);
    if (kind && !kinds.has(kind)) kinds.set(kind, request);
  }
  return kinds;
}

/// "POST /repos/acme/widget/issues/:n/comments {body}"; nothing for what is no request of the API.
function kindOf({ method, target, body }) {
  const url = new URL(target, 'http://forge');
  // Names made up to see what happens say nothing about requests.
  if (/\.git\/|nobody|\.\.|%2F\.\.|%3F|\/absent|\/none$/i.test(target)) return undefined;
  const place = decodeURIComponent(url.pathname)
    .replace(/[0-9a-f]{40}/g, ':sha')
    .replace(/\/\d+(?=[/.]|$)/g, '/:n');
  const names = (object) => Object.keys(object).sort().join(',');
  let fields = '';
  // The sandbox keeps no more of a body.
  if (Buffer.byteLength(body) >= kLongestRecorded) return undefined;
  if (body) {
    const said = JSON.parse(body);
    // GraphQL has one address, and a description of its own.
    if (said.query) return undefined;
    fields = ` {${names(said)}}`;
  }
  const query = names(Object.fromEntries(url.searchParams));
  return `${method} ${place}${query && `?${query}`}${fields}`;
}

async function judge(prism, { method, target, body }, headers) {
  const response = await fetch(prism.url + target, {
    method,
    headers: { ...headers, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body } : {}),
  });
  const text = await response.text();
  const violations = parseViolations(response.headers.get('sl-violations'));
  const unknown = response.status === 404 && /NO_PATH_MATCHED|NO_METHOD_MATCHED|NO_RESOURCE/.test(text);
  const refused = response.status === 405 || unknown;
  const wrong = violations.filter((v) => v.location[0] === 'request').map((v) => `${v.location.join('.')}: ${v.message}`);
  if (!refused && wrong.length === 0 && [400, 401, 415, 422].includes(response.status)) wrong.push(text.slice(0, 300));
  return { unknown: refused, wrong };
}

for (const [forge, { tests, headers, least }] of Object.entries(kForges)) {
  const contract = path.join(process.env.SWAGE_CONTRACTS ?? '', `${forge}.json`);
  if (!existsSync(contract)) {
    steps.skip(`the ${forge} adapter`, `no ${forge}.json in the directory of contracts`);
    continue;
  }
  const uncovered = [];
  let judged = 0;
  await steps.step(`the ${forge} adapter asks nothing that the description forbids`, async () => {
    const kinds = recorded(forge, tests);
    const prism = await startPrism(contract);
    const complaints = [];
    try {
      for (const [kind, request] of kinds) {
        const { unknown, wrong } = await judge(prism, request, headers);
        if (unknown) uncovered.push(kind);
        else judged += 1;
        for (const complaint of wrong) complaints.push(`${kind}\n          ${complaint}`);
      }
    } finally {
      await prism.stop();
    }
    assert.deepEqual(complaints, []);
    assert.ok(judged >= least, `only ${judged} kinds of requests were judged`);
  });
  console.log(`        ${judged} kinds of requests judged; the description does not cover:`);
  for (const kind of uncovered) console.log(`          ${kind}`);
}

rmSync(scratch, { recursive: true, force: true });
process.exit(steps.finish());
