-- How far tasks are kept apart, why, and which node can give that.

DROP VIEW task_rows;
DROP INDEX tasks_queued;
DROP INDEX tasks_queued_by_repo;
-- Empty = not decided yet. It never falls.
ALTER TABLE tasks ADD COLUMN level TEXT NOT NULL DEFAULT ''
  CHECK (level IN ('', 'shared', 'worktree', 'sandbox', 'container'));
-- One queue per level: whoever cannot give one passes it over at no cost.
CREATE INDEX tasks_queued ON tasks (level, queued_at_us, id) WHERE state = 'queued';
CREATE INDEX tasks_queued_by_repo ON tasks (level, repo, queued_at_us, id) WHERE state = 'queued';

-- In the order of the struct Task.
CREATE VIEW task_rows AS
SELECT t.id, r.forge, r.forge_repo_id, r.path, t.issue_number, t.generation, t.issue_url, t.title,
       x.body, x.hash, t.requester_id, t.requester_login, t.requester_is_bot, t.profile, t.state,
       t.reason, t.stage, t.run_kind, t.run, t.attempt, t.cycle, t.run_first_cycle, t.base_branch,
       t.base_sha, t.branch, t.checkpoint, t.pushed, t.pr_number, t.pr_url, t.sticky_comment_id, t.level,
       t.epoch, t.lease_node, t.lease_expires_at_us, t.created_at_us, t.updated_at_us, t.repo
FROM tasks t
JOIN repos r ON r.id = t.repo
JOIN task_texts x ON x.task_id = t.id;

-- Why a task is at its level: the choice, then each step up.
CREATE TABLE task_levels (
  id      INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  level   TEXT NOT NULL CHECK (level IN ('shared', 'worktree', 'sandbox', 'container')),
  reasons TEXT NOT NULL,  -- a line each
  run     INTEGER NOT NULL,
  cycle   INTEGER NOT NULL,
  at_us   INTEGER NOT NULL,
  UNIQUE (task_id, level)
) STRICT;

-- Which hosts its commands asked for and were kept from.
CREATE TABLE blocked_hosts (
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  host    TEXT NOT NULL CHECK (host <> ''),
  times   INTEGER NOT NULL CHECK (times > 0),
  PRIMARY KEY (task_id, host)
) STRICT, WITHOUT ROWID;

-- Tasks that wait for a node; void once the task moved on, which its state and epoch tell.
CREATE TABLE level_waits (
  task_id INTEGER PRIMARY KEY REFERENCES tasks (id),
  level   TEXT NOT NULL,
  epoch   INTEGER NOT NULL
) STRICT;

-- What a node can give, and why not the rest.
ALTER TABLE nodes ADD COLUMN levels TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN lacks TEXT NOT NULL DEFAULT '';
