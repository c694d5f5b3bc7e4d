-- What people can ask for: which task goes first, and that it is put onto the newest base.

DROP VIEW task_rows;
DROP INDEX tasks_queued;
DROP INDEX tasks_queued_by_repo;
ALTER TABLE tasks ADD COLUMN kind TEXT NOT NULL DEFAULT 'implement'
  CHECK (kind IN ('implement', 'fix', 'gates', 'rebase'));
UPDATE tasks SET kind = run_kind;
ALTER TABLE tasks DROP COLUMN run_kind;
ALTER TABLE tasks RENAME COLUMN kind TO run_kind;
-- 0 high, 1 normal, 2 low.
ALTER TABLE tasks ADD COLUMN priority INTEGER NOT NULL DEFAULT 1 CHECK (priority BETWEEN 0 AND 2);
CREATE INDEX tasks_queued ON tasks (level, priority, queued_at_us, id) WHERE state = 'queued';
CREATE INDEX tasks_queued_by_repo ON tasks (level, repo, priority, queued_at_us, id) WHERE state = 'queued';

-- In the order of the struct Task.
CREATE VIEW task_rows AS
SELECT t.id, r.forge, r.forge_repo_id, r.path, t.issue_number, t.generation, t.issue_url, t.title,
       x.body, x.hash, t.requester_id, t.requester_login, t.requester_is_bot, t.profile, t.priority, t.state,
       t.reason, t.stage, t.run_kind, t.run, t.attempt, t.cycle, t.run_first_cycle, t.base_branch,
       t.base_sha, t.branch, t.checkpoint, t.pushed, t.pr_number, t.pr_url, t.sticky_comment_id, t.level,
       t.epoch, t.lease_node, t.lease_expires_at_us, t.created_at_us, t.updated_at_us, t.repo
FROM tasks t
JOIN repos r ON r.id = t.repo
JOIN task_texts x ON x.task_id = t.id;
