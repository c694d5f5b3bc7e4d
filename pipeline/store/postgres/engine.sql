-- What only this engine has: its inbox, its transactions' outcome, its schema table.

-- inbox ---------------------------------------------------------------------------------------------------

-- name: AddDeliveries
-- Arrays, so that a batch is one statement whatever its size. Its answer names those that are new. $6 now (NULL: the
-- clock's).
INSERT INTO deliveries (forge, key, event, body, received_at_us, not_before_at_us)
SELECT forge, key, event, body, $5, coalesce($6::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS news (forge, key, event, body)
ON CONFLICT (forge, key) DO NOTHING
RETURNING forge, key;

-- name: TakeableDeliveries
SELECT id, forge, key, event, received_at_us, attempts, body
FROM deliveries d
WHERE state = 'pending' AND not_before_at_us <= $1 AND held_until_at_us <= $1
  AND NOT EXISTS (SELECT 1 FROM paces p
                  WHERE p.scope = d.forge AND p.breaker = 'open' AND p.paused_until_at_us > $1)
ORDER BY not_before_at_us, id
LIMIT $2
FOR NO KEY UPDATE OF d SKIP LOCKED;

-- claims --------------------------------------------------------------------------------------------------

-- name: ShareClaims
-- $1 = the number of slots.
SELECT pg_advisory_xact_lock_shared(hashtext('swage claims'), hashtext(current_schema())),
       pg_advisory_xact_lock(hashtext('swage claim slots ' || current_schema()), pg_backend_pid() % $1::int);

-- name: ClaimNext
-- As FindOrphan, FindQueued, InterruptSteps, ClaimTask and MarkRemarksSeen together. $1 now (NULL: the clock's), $2 node,
-- $3 lease, $4 cap of the node, $5 cap per repository, $6 attempts, $7 now for people, $8 room to leave, $9 rest between
-- attempts. One row: has the node no room, is every cap far, is there a task, was it claimed, was it an orphan, has it
-- cycles and remarks, and the task as LockTask gives it.
WITH
  clock AS MATERIALIZED (
    SELECT coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS now),
  live AS MATERIALIZED (
    SELECT count(*) AS tasks, count(*) FILTER (WHERE held.lease_node = $2) AS own
    FROM (SELECT t.repo, t.lease_node FROM tasks t
          WHERE t.lease_node <> '' AND t.lease_expires_at_us > (SELECT now FROM clock) OFFSET 0) held
    GROUP BY held.repo),
  room AS MATERIALIZED (
    SELECT coalesce(sum(own), 0) >= $4::bigint AS no_room,
           coalesce(sum(own), 0) + $8::bigint <= $4::bigint
           AND coalesce(max(tasks), 0) + $8::bigint <= $5::bigint
           -- What is left alone is as a full repository: not a case for the quick way.
           AND NOT EXISTS (SELECT FROM paces p
                           WHERE p.breaker = 'open' AND p.paused_until_at_us > (SELECT now FROM clock))
             AS far
    FROM live),
  orphan AS MATERIALIZED (
    SELECT t.id FROM tasks t
    WHERE (SELECT far FROM room)
      AND t.lease_node <> '' AND t.lease_expires_at_us <= (SELECT now FROM clock)
      AND (t.attempt >= $6::bigint
           OR t.lease_expires_at_us <= (SELECT now FROM clock) - (t.attempt - 1) * $9::bigint)
    ORDER BY t.lease_expires_at_us, t.id LIMIT 1
    FOR NO KEY UPDATE OF t SKIP LOCKED),
  queued AS MATERIALIZED (
    SELECT t.id FROM tasks t
    WHERE (SELECT far FROM room) AND NOT EXISTS (SELECT FROM orphan) AND t.state = 'queued'
      AND t.queued_at_us <= (SELECT now FROM clock)
    ORDER BY t.queued_at_us, t.id LIMIT 1
    FOR NO KEY UPDATE OF t SKIP LOCKED),
  picked AS MATERIALIZED (SELECT id FROM orphan UNION ALL SELECT id FROM queued),
  c AS (
    UPDATE tasks t SET
      state = 'running', stage = 'provision', reason = '', epoch = t.epoch + 1,
      attempt = t.attempt + 1, lease_node = $2,
      lease_expires_at_us = (SELECT now FROM clock) + $3::bigint, updated_at_us = $7::bigint
    WHERE t.id = (SELECT id FROM picked LIMIT 1) AND t.attempt < $6::bigint
    RETURNING t.*),
  interrupted AS (
    UPDATE steps s SET outcome = 'interrupted', finished_at_us = $7::bigint
    FROM c WHERE s.task_id = c.id AND s.outcome = 'running'),
  seen AS (UPDATE remarks m SET seen = true FROM c WHERE m.task_id = c.id AND NOT m.seen)
SELECT room.no_room, room.far, EXISTS (SELECT FROM picked), c.id IS NOT NULL, EXISTS (SELECT FROM orphan),
       EXISTS (SELECT FROM cycles y WHERE y.task_id = c.id AND y.run = c.run),
       EXISTS (SELECT FROM remarks m WHERE m.task_id = c.id),
       c.id, r.forge, r.forge_repo_id, r.path, c.issue_number, c.generation, c.issue_url, c.title,
       x.body, x.hash, c.requester_id, c.requester_login, c.requester_is_bot, c.profile, c.state,
       c.reason, c.stage, c.run_kind, c.run, c.attempt, c.cycle, c.run_first_cycle, c.base_branch,
       c.base_sha, c.branch, c.checkpoint, c.pushed, c.pr_number, c.pr_url, c.sticky_comment_id,
       c.epoch, c.lease_node, c.lease_expires_at_us, c.created_at_us, c.updated_at_us
FROM room
LEFT JOIN c ON true
LEFT JOIN repos r ON r.id = c.repo
LEFT JOIN task_texts x ON x.task_id = c.id;

-- transactions --------------------------------------------------------------------------------------------

-- name: Now
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: Begun
-- The transaction's one instant, and the number by which its outcome can be asked for later.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, pg_current_xact_id()::text;

-- name: Outcome
-- Fails for a number that the server has not given yet.
SELECT coalesce(pg_xact_status($1::text::xid8), 'forgotten'), coalesce((SELECT id FROM incarnation WHERE singleton), '');

-- name: Incarnation
SELECT id FROM incarnation WHERE singleton;

-- name: BeginIncarnation
INSERT INTO incarnation (id) VALUES (gen_random_uuid()::text) ON CONFLICT DO NOTHING;

-- holds ---------------------------------------------------------------------------------------------------

-- name: TryHold
SELECT pg_try_advisory_xact_lock(
         hashtextextended('swage ' || current_schema() || ' ' || $1::text, 0))::int::bigint;

-- name: PingHold
SELECT 1::bigint;

-- migrations ----------------------------------------------------------------------------------------------

-- name: LockSchema
SELECT pg_advisory_xact_lock(hashtext('swage schema'), hashtext(current_schema()));

-- name: HasTable
SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = $1;

-- name: CountTables
SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema();

-- name: CreateMigrations
CREATE TABLE IF NOT EXISTS schema_migrations (
  version       BIGINT PRIMARY KEY,
  name          TEXT NOT NULL,
  checksum      TEXT NOT NULL,
  applied_at_us BIGINT NOT NULL
);

-- name: ListMigrations
SELECT version, name, checksum FROM schema_migrations ORDER BY version;

-- name: AddMigration
INSERT INTO schema_migrations (version, name, checksum, applied_at_us) VALUES ($1, $2, $3, $4);
