// Story: one row of the plan, played with a client, and what has become of it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { until } from './until.mjs';

const kSticky = 'swage:sticky';
const kSecondMs = 1_000;

/// The numbers of the issues, by the titles of their stories; who asks too early waits.
class Numbers {
  #known = new Map();
  #entry(title) {
    if (!this.#known.has(title)) {
      const entry = {};
      entry.promise = new Promise((resolve) => { entry.resolve = resolve; });
      this.#known.set(title, entry);
    }
    return this.#known.get(title);
  }
  set(title, number) { this.#entry(title).resolve(number); }
  of(title) { return this.#entry(title).promise; }
}

/// What the stories of a day share: clients by name of person, accounts, the numbers of issues, and where the agents
/// leave their signs.
export class Stage {
  numbers = new Numbers();
  constructor({ people, users, git, meeting }) {
    Object.assign(this, { people, users, git, meeting });
  }
}

export class Story {
  #said = new Map();

  constructor(row, stage) {
    Object.assign(this, { row, stage, alice: stage.people.alice, bot: stage.users.bot.login });
  }

  async play() {
    for (const [act, ...args] of this.row.does) {
      try {
        await this[act](...args);
      } catch (error) {
        error.message = `${[act, ...args.map((a) => JSON.stringify(a))].join(' ')}: ${error.message}`;
        throw error;
      }
    }
  }

  // --- what people do
  async open({ title, labels } = {}, who = 'alice') {
    const { row, stage } = this;
    const told = /<(.*)>/.exec(row.body ?? '')?.[1];
    const text = told ? row.body.replace(`<${told}>`, await stage.numbers.of(told)) : row.body ?? 'Please.';
    const body = `${text}\n\nmood: ${row.mood ?? 'good'}`;
    this.issue = await stage.people[who].open({ title: title ?? row.title, body, labels });
    stage.numbers.set(row.title, this.issue);
  }
  edit() { return this.alice.edit(this.issue, { title: this.row.title, body: 'Please, and spelt right.' }); }
  label(name) { return this.alice.label(this.issue, name); }
  unlabel(name) { return this.alice.unlabel(this.issue, name); }
  assign(who) { return this.alice.assign(this.issue, this.stage.users[who]); }
  async close(title = this.row.title) { return this.alice.close(await this.stage.numbers.of(title)); }
  reopen() { return this.alice.reopen(this.issue); }
  remove() { return this.alice.remove(this.issue); }
  async say(text, who = 'alice') { this.#said.set(text, await this.stage.people[who].say(this.issue, text)); }
  /// No forge tells whether a comment was edited within the second in which it was written.
  async reword(before, after) {
    await this.say(before);
    await pause(kSecondMs);
    await this.alice.reword(this.issue, this.#said.get(before), after);
  }
  unsay(text) { return this.alice.unsay(this.issue, this.#said.get(text)); }
  async sayOnPull(text) { return this.alice.sayOnPull((await this.pull()).number, text); }
  async approve() { return this.alice.approve((await this.pull()).number); }
  async closePull() { return this.alice.closePull((await this.pull()).number); }
  async push() { return this.stage.git.push((await this.pull()).branch, `theirs-${this.issue}.txt`, 'mine\n'); }
  /// Whether it can be merged a forge finds out in its own time.
  async merge() {
    const { number } = await this.pull();
    let refusal;
    await until('the pull request is merged', async () => {
      await this.alice.merge(number).catch((error) => { refusal = error; });
      return (await this.pull()).state === 'merged';
    }).catch((error) => { throw refusal ?? error; });
  }

  // --- what they wait for
  /// The agent has begun, and does not end by itself.
  sleeps() {
    const sign = path.join(this.stage.meeting, `slept-${this.issue}`);
    return until('the agent sleeps', () => existsSync(sign));
  }
  async sees(text) {
    let sticky;
    await until(`"${text}"`, async () => {
      sticky = (await this.stickies()).at(-1);
      return sticky?.includes(text);
    }).catch((error) => { throw new Error(`${error.message}; the status comment:\n${sticky}`); });
  }
  seesAnswer(text) { return until(`"${text}"`, async () => (await this.answers()).some((a) => a.includes(text))); }
  seesReviews(count) { return until(`${count} reviews`, async () => (await this.reviews()) === count); }

  // --- what is there
  async said() {
    return (await this.alice.comments(this.issue)).filter((c) => c.by === this.bot).map((c) => c.text);
  }
  async stickies() { return (await this.said()).filter((text) => text.includes(kSticky)); }
  async answers() { return (await this.said()).filter((text) => !text.includes(kSticky)); }
  async pulls() {
    const all = await this.alice.pulls();
    return all.filter((p) => p.branch.startsWith(`swage/${this.issue}-`)).sort((a, b) => a.number - b.number);
  }
  async pull() { return (await this.pulls()).at(-1); }
  async reviews() {
    const of = await Promise.all((await this.pulls()).map((p) => this.alice.reviews(p.number)));
    return of.flat().filter((review) => review.by === this.bot).length;
  }

  /// `tasks`, `pulls`: all that there are.
  async expectEnd(tasks, pulls) {
    const { end } = this.row;
    const mine = pulls.filter((p) => p.branch.startsWith(`swage/${this.issue}-`)).sort((a, b) => a.number - b.number);
    assert.deepEqual(tasks.filter((t) => t.issue === this.issue).map((t) => t.state), end.tasks, 'tasks');
    assert.deepEqual(mine.map((p) => p.state), end.pulls, 'pull requests');
    assert.ok(mine.every((p) => p.by === this.bot), 'pull requests are the bot\'s');
    if (end.issue === 'gone') {
      await assert.rejects(this.alice.isOpen(this.issue), 'the issue');
      return;
    }
    assert.equal(await this.alice.isOpen(this.issue), end.issue === 'open', `the issue is ${end.issue}`);
    assert.equal((await this.stickies()).length, end.tasks.length, 'status comments');
    const answers = await this.answers();
    assert.equal(answers.length, end.answers?.length ?? 0, `answers: ${answers}`);
    end.answers?.forEach((text, i) => assert.ok(answers[i].includes(text), `"${text}" in: ${answers[i]}`));
    assert.equal(await this.reviews(), end.reviews ?? end.pulls.length, 'reviews');
  }
}
