-- What makes a claim and the end of a run cheap: each rewrites a task's row.

-- A table's CHECKs are parsed anew by every statement that writes to it, those of a domain once in a session.
CREATE DOMAIN task_state AS TEXT CHECK (VALUE IN (
  'queued', 'running', 'in_review', 'waiting', 'merged', 'closed', 'failed', 'cancelled'));
CREATE DOMAIN task_stage AS TEXT CHECK (VALUE IN ('none', 'provision', 'agent', 'gates', 'publish'));
CREATE DOMAIN task_run_kind AS TEXT CHECK (VALUE IN ('implement', 'fix', 'gates'));
CREATE DOMAIN counted_from_0 AS BIGINT CHECK (VALUE >= 0);
CREATE DOMAIN counted_from_1 AS BIGINT CHECK (VALUE >= 1);
CREATE DOMAIN branch_name AS TEXT CHECK (VALUE <> '');

DROP VIEW task_rows;
DROP INDEX tasks_by_pr;
ALTER TABLE tasks
  DROP CONSTRAINT tasks_state_check, DROP CONSTRAINT tasks_stage_check, DROP CONSTRAINT tasks_run_kind_check,
  DROP CONSTRAINT tasks_generation_check, DROP CONSTRAINT tasks_run_check, DROP CONSTRAINT tasks_attempt_check,
  DROP CONSTRAINT tasks_cycle_check, DROP CONSTRAINT tasks_run_first_cycle_check, DROP CONSTRAINT tasks_epoch_check,
  DROP CONSTRAINT tasks_branch_check, DROP CONSTRAINT tasks_check, DROP CONSTRAINT tasks_check1;
ALTER TABLE tasks
  ALTER COLUMN state DROP DEFAULT, ALTER COLUMN stage DROP DEFAULT, ALTER COLUMN run_kind DROP DEFAULT,
  ALTER COLUMN state TYPE task_state, ALTER COLUMN stage TYPE task_stage, ALTER COLUMN run_kind TYPE task_run_kind,
  ALTER COLUMN generation TYPE counted_from_1, ALTER COLUMN run TYPE counted_from_1,
  ALTER COLUMN attempt TYPE counted_from_0, ALTER COLUMN cycle TYPE counted_from_0,
  ALTER COLUMN run_first_cycle TYPE counted_from_0, ALTER COLUMN epoch TYPE counted_from_0,
  ALTER COLUMN branch TYPE branch_name,
  ALTER COLUMN state SET DEFAULT 'queued', ALTER COLUMN stage SET DEFAULT 'none',
  ALTER COLUMN run_kind SET DEFAULT 'implement',
  -- The number that its claimer gave a claim, by which one is found whose answer was lost.
  ADD COLUMN claim BIGINT NOT NULL DEFAULT 0,
  -- Nobody holds a running task only while the publisher ends its run.
  ADD CONSTRAINT tasks_held CHECK (CASE WHEN state = 'running' THEN lease_node <> '' OR stage = 'publish'
                                        ELSE stage = 'none' AND lease_node = '' END);
-- Only of tasks that have one: a claim need not write to it.
CREATE INDEX tasks_by_pr ON tasks (repo, pr_number, id) WHERE pr_number > 0;

-- As it was. In the order of the struct Task.
CREATE VIEW task_rows AS
SELECT t.id, r.forge, r.forge_repo_id, r.path, t.issue_number, t.generation, t.issue_url, t.title,
       x.body, x.hash, t.requester_id, t.requester_login, t.requester_is_bot, t.profile, t.state,
       t.reason, t.stage, t.run_kind, t.run, t.attempt, t.cycle, t.run_first_cycle, t.base_branch,
       t.base_sha, t.branch, t.checkpoint, t.pushed, t.pr_number, t.pr_url, t.sticky_comment_id,
       t.epoch, t.lease_node, t.lease_expires_at_us, t.created_at_us, t.updated_at_us, t.repo
FROM tasks t
JOIN repos r ON r.id = t.repo
JOIN task_texts x ON x.task_id = t.id;

-- The key of a task in the audit log, as TaskKey has it.
CREATE FUNCTION audit_key(forge TEXT, path TEXT, issue_number BIGINT, generation BIGINT) RETURNS TEXT
LANGUAGE sql IMMUTABLE AS $$
  SELECT left(forge || '/' || path || '#' || issue_number::text ||
              CASE WHEN generation > 1 THEN '/g' || generation::text ELSE '' END, 200)
$$;
