-- What a claim and the end of a run cost beside their task's row.

-- A reference was looked up, and its row locked, for each row that came; now nobody looks. Both tables are written
-- behind a lock of the task's row, and rows of tasks and repositories stay (task_texts refers to all of the former, the
-- former to the latter).
ALTER TABLE timeline DROP CONSTRAINT timeline_task_id_fkey;
ALTER TABLE effects DROP CONSTRAINT effects_task_id_fkey, DROP CONSTRAINT effects_repo_fkey;

-- Written to by each claim and each end, and of no more use than the key over a repository's issues.
DROP INDEX tasks_by_repo;

-- A table's CHECKs are parsed anew by every statement that writes to it, those of a domain once in a session.
CREATE DOMAIN effect_kind AS TEXT CHECK (VALUE IN (
  'reaction', 'comment', 'sticky', 'push', 'pull_request', 'status', 'review', 'resolve'));
CREATE DOMAIN effect_state AS TEXT CHECK (VALUE IN ('pending', 'done', 'failed', 'superseded'));
ALTER TABLE effects
  DROP CONSTRAINT effects_kind_check, DROP CONSTRAINT effects_state_check, DROP CONSTRAINT effects_attempts_check;
ALTER TABLE effects
  ALTER COLUMN state DROP DEFAULT,
  ALTER COLUMN kind TYPE effect_kind, ALTER COLUMN state TYPE effect_state,
  ALTER COLUMN attempts TYPE counted_from_0,
  ALTER COLUMN state SET DEFAULT 'pending';
ALTER TABLE audit
  DROP CONSTRAINT audit_check, DROP CONSTRAINT audit_seq_check,
  ADD CONSTRAINT audit_seal CHECK (CASE WHEN seq IS NULL THEN hash IS NULL ELSE seq > 0 AND hash IS NOT NULL END);

-- The heads of the queues of all repositories, for a claim that finds no room at the head of all: at most `most`, those
-- of a repository no more than it has room for below `cap`. Repositories `busy` have so many tasks as `busy_tasks` says;
-- those that are `closed` are left out. From one to the next it is a hop, so that a full one costs one step however long
-- its queue is. A function, because a claim begins all of its parts, also those that it seldom needs.
CREATE FUNCTION queue_heads(
  most BIGINT, cap BIGINT, now_us BIGINT, busy BIGINT[], busy_tasks BIGINT[], closed BIGINT[])
RETURNS TABLE (task BIGINT, since_us BIGINT) LANGUAGE plpgsql STABLE ROWS 10 AS $$
BEGIN
  RETURN QUERY
  WITH RECURSIVE
    held AS MATERIALIZED (SELECT b.repo, b.tasks FROM unnest(busy, busy_tasks) AS b (repo, tasks)),
    hop (repo) AS (
      (SELECT t.repo FROM tasks t WHERE t.state = 'queued' AND t.level = ''
       ORDER BY t.repo, t.queued_at_us, t.id LIMIT 1)
      UNION ALL
      SELECT n.repo
      FROM hop
      CROSS JOIN LATERAL (
        SELECT t.repo FROM tasks t WHERE t.state = 'queued' AND t.level = '' AND t.repo > hop.repo
        ORDER BY t.repo, t.queued_at_us, t.id LIMIT 1) n)
  SELECT q.id, q.queued_at_us
  FROM hop
  LEFT JOIN held h ON h.repo = hop.repo
  CROSS JOIN LATERAL (
    SELECT t.id, t.queued_at_us FROM tasks t
    WHERE t.state = 'queued' AND t.level = '' AND t.repo BETWEEN hop.repo AND hop.repo AND t.queued_at_us <= now_us
    ORDER BY t.repo, t.queued_at_us, t.id
    LIMIT least(most, greatest(cap - coalesce(h.tasks, 0), 0))) q
  WHERE hop.repo <> ALL (closed)
  ORDER BY q.queued_at_us, q.id
  LIMIT most;
END $$;
