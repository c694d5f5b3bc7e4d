-- What people can ask for: which task goes first, and that it is put onto the newest base.

DROP VIEW task_rows;
DROP INDEX tasks_queued;
DROP INDEX tasks_queued_by_repo;
ALTER DOMAIN task_run_kind DROP CONSTRAINT task_run_kind_check;
ALTER DOMAIN task_run_kind ADD CONSTRAINT task_run_kind_check
  CHECK (VALUE IN ('implement', 'fix', 'gates', 'rebase'));
-- 0 high, 1 normal, 2 low.
CREATE DOMAIN priority AS BIGINT CHECK (VALUE BETWEEN 0 AND 2);
ALTER TABLE tasks ADD COLUMN priority priority NOT NULL DEFAULT 1;
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

-- As 014 has it, in the new order. Of most repositories the first task in line is enough to know: those behind it are
-- looked up only where it is among the `most` that go first.
DROP FUNCTION queue_heads;
CREATE FUNCTION queue_heads(
  most BIGINT, cap BIGINT, now_us BIGINT, busy BIGINT[], busy_tasks BIGINT[], closed BIGINT[])
RETURNS TABLE (task BIGINT, rank BIGINT, since_us BIGINT) LANGUAGE plpgsql STABLE ROWS 10 AS $$
BEGIN
  RETURN QUERY
  WITH RECURSIVE
    held AS MATERIALIZED (SELECT b.repo, b.tasks FROM unnest(busy, busy_tasks) AS b (repo, tasks)),
    hop (repo, rank, since, id) AS (
      (SELECT t.repo, t.priority::bigint, t.queued_at_us, t.id FROM tasks t
       WHERE t.state = 'queued' AND t.level = '' AND t.queued_at_us <= now_us
       ORDER BY t.repo, t.priority, t.queued_at_us, t.id LIMIT 1)
      UNION ALL
      SELECT n.*
      FROM hop
      CROSS JOIN LATERAL (
        SELECT t.repo, t.priority::bigint, t.queued_at_us, t.id FROM tasks t
        WHERE t.state = 'queued' AND t.level = '' AND t.repo > hop.repo AND t.queued_at_us <= now_us
        ORDER BY t.repo, t.priority, t.queued_at_us, t.id LIMIT 1) n),
    head AS MATERIALIZED (
      SELECT hop.repo, least(most, cap - coalesce(h.tasks, 0)) AS room
      FROM hop
      LEFT JOIN held h ON h.repo = hop.repo
      WHERE coalesce(h.tasks, 0) < cap AND hop.repo <> ALL (closed)
      ORDER BY hop.rank, hop.since, hop.id
      LIMIT most)
  SELECT q.id, q.rank, q.queued_at_us
  FROM head
  CROSS JOIN LATERAL (
    SELECT t.id, t.priority::bigint AS rank, t.queued_at_us FROM tasks t
    WHERE t.state = 'queued' AND t.level = '' AND t.repo BETWEEN head.repo AND head.repo AND t.queued_at_us <= now_us
    ORDER BY t.repo, t.priority, t.queued_at_us, t.id
    LIMIT head.room) q
  ORDER BY q.rank, q.queued_at_us, q.id
  LIMIT most;
END $$;
