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
-- As FindOrphan, FindQueued and ClaimTask together with what the timeline and the audit log say of it, for a task that
-- nobody has worked on in this run and that has no remarks. $1 now (NULL: the clock's), $2 node, $3 lease, $4 cap of the
-- node, $5 cap per repository, $6 attempts, $7 now for people, $8 room to leave, $9 rest between attempts, $10 the claim's
-- own number, $11 and $12 the timeline's kind and words, $13 to $16 the audit log's actor, action, subject and detail, in
-- which {run} stands for the run, $17 to $20 the levels that the node gives. One row: has the node no room, does this way serve, is there a task, was it claimed, and
-- the task as LockTask gives it.
WITH
  clock AS MATERIALIZED (
    SELECT coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS now),
  held AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE NOT t.over) AS tasks,
           count(*) FILTER (WHERE NOT t.over AND t.lease_node = $2) AS own,
           bool_or(t.over AND t.level IN ('', $17, $18, $19, $20)
                   AND (t.attempt >= $6::bigint
                        OR t.lease_expires_at_us <= t.now - (t.attempt - 1) * $9::bigint)) AS orphaned
    FROM (SELECT l.repo, l.lease_node, l.attempt, l.lease_expires_at_us, l.level, clock.now,
                 l.lease_expires_at_us <= clock.now AS over
          FROM clock CROSS JOIN tasks l WHERE l.lease_node <> '' OFFSET 0) t
    GROUP BY t.repo),
  room AS MATERIALIZED (
    SELECT coalesce(sum(own), 0) >= $4::bigint AS no_room,
           coalesce(sum(own), 0) + $8::bigint <= $4::bigint
           AND coalesce(max(tasks), 0) + $8::bigint <= $5::bigint
           -- What is left alone is as a full repository, and an orphan goes first: no cases for the quick way.
           AND NOT coalesce(bool_or(orphaned), false)
           AND NOT EXISTS (SELECT FROM paces p
                           WHERE p.breaker = 'open' AND p.paused_until_at_us > (SELECT now FROM clock))
           -- Nor is what was begun already, whose level is decided.
           AND NOT EXISTS (SELECT FROM tasks q
                           WHERE q.state = 'queued' AND q.level IN ($17, $18, $19, $20)
                             AND q.queued_at_us <= (SELECT now FROM clock))
             AS far
    FROM held),
  picked AS MATERIALIZED (
    SELECT t.id FROM tasks t
    WHERE (SELECT far FROM room) AND t.state = 'queued' AND t.level = '' AND t.queued_at_us <= (SELECT now FROM clock)
    ORDER BY t.queued_at_us, t.id LIMIT 1
    FOR NO KEY UPDATE OF t SKIP LOCKED),
  c AS (
    UPDATE tasks t SET
      state = 'running', stage = 'provision', reason = '', epoch = t.epoch + 1, attempt = 1, lease_node = $2,
      lease_expires_at_us = (SELECT now FROM clock) + $3::bigint, claim = $10::bigint, updated_at_us = $7::bigint
    FROM repos r, task_texts x
    WHERE t.id = (SELECT id FROM picked) AND t.attempt = 0 AND $6::bigint > 0 AND r.id = t.repo AND x.task_id = t.id
      AND NOT EXISTS (SELECT FROM remarks m WHERE m.task_id = t.id)
    RETURNING t.*, r.forge, r.forge_repo_id, r.path, x.body, x.hash),
  told AS (
    INSERT INTO timeline (task_id, at_us, kind, detail) SELECT c.id, $7::bigint, $11, $12 FROM c),
  noted AS (
    INSERT INTO audit (at_us, actor, action, task, subject, detail)
    SELECT $7::bigint, $13, $14, audit_key(c.forge, c.path, c.issue_number, c.generation), $15,
           replace($16, '{run}', c.run::text)
    FROM c)
SELECT room.no_room, room.far, EXISTS (SELECT FROM picked), c.id IS NOT NULL,
       c.id, c.forge, c.forge_repo_id, c.path, c.issue_number, c.generation, c.issue_url, c.title,
       c.body, c.hash, c.requester_id, c.requester_login, c.requester_is_bot, c.profile, c.state,
       c.reason, c.stage, c.run_kind, c.run, c.attempt, c.cycle, c.run_first_cycle, c.base_branch,
       c.base_sha, c.branch, c.checkpoint, c.pushed, c.pr_number, c.pr_url, c.sticky_comment_id, c.level,
       c.epoch, c.lease_node, c.lease_expires_at_us, c.created_at_us, c.updated_at_us
FROM room
LEFT JOIN c ON true;

-- name: FindClaim
-- Whose answer was lost: $1 its node, $2 its number. As LockTask.
SELECT t.id, r.forge, r.forge_repo_id, r.path, t.issue_number, t.generation, t.issue_url, t.title,
       x.body, x.hash, t.requester_id, t.requester_login, t.requester_is_bot, t.profile, t.state,
       t.reason, t.stage, t.run_kind, t.run, t.attempt, t.cycle, t.run_first_cycle, t.base_branch,
       t.base_sha, t.branch, t.checkpoint, t.pushed, t.pr_number, t.pr_url, t.sticky_comment_id, t.level,
       t.epoch, t.lease_node, t.lease_expires_at_us, t.created_at_us, t.updated_at_us
FROM tasks t
JOIN repos r ON r.id = t.repo
JOIN task_texts x ON x.task_id = t.id
WHERE t.lease_node <> '' AND t.lease_node = $1 AND t.claim = $2
FOR NO KEY UPDATE OF t;

-- name: EndRun
-- As GetLeased, MoveTask, InterruptSteps, AddEffect, AddTimeline and AddAudit together, for a run that leaves nothing to
-- publish and a task that no remark waits for. $1 task, $2 epoch, $3 node, $4 state, $5 reason, $6 now for people, $7 and $8 the timeline's kind and words, $9 to $12 the audit
-- log's actor, action, subject and detail. The effects, all of the task and its repository ($13 forge, $14 its number there,
-- $15 path; NULL without effects): $16 kinds, $17 ordinals, $18 keys, $19 payloads, $20 now (NULL: the clock's). One row:
-- whether the run was ended.
WITH
  c AS (
    UPDATE tasks t SET state = $4, reason = $5, stage = 'none', lease_node = '', lease_expires_at_us = 0,
                       updated_at_us = $6::bigint
    FROM repos r
    WHERE t.id = $1 AND t.epoch = $2 AND t.lease_node = $3 AND t.state = 'running' AND NOT t.remarked AND r.id = t.repo
      AND ($13::text IS NULL OR (r.forge = $13::text AND r.forge_repo_id = $14 AND r.path = $15))
    RETURNING t.id, t.repo, t.issue_number, t.generation, t.epoch, r.forge, r.path),
  interrupted AS (
    UPDATE steps s SET outcome = 'interrupted', finished_at_us = $6::bigint
    FROM c WHERE s.task_id = c.id AND s.outcome = 'running'),
  told AS (
    INSERT INTO timeline (task_id, at_us, kind, detail) SELECT c.id, $6::bigint, $7, $8 FROM c),
  noted AS (
    INSERT INTO audit (at_us, actor, action, task, subject, detail)
    SELECT $6::bigint, $9, $10, audit_key(c.forge, c.path, c.issue_number, c.generation), $11, $12 FROM c),
  added AS (
    INSERT INTO effects (task_id, repo, kind, ordinal, key, payload, epoch, not_before_at_us, created_at_us,
                         updated_at_us)
    SELECT c.id, c.repo, e.kind, e.ordinal, e.key, e.payload, c.epoch,
           coalesce($20::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint), $6::bigint, $6::bigint
    FROM c CROSS JOIN unnest($16::text[], $17::bigint[], $18::text[], $19::text[]) AS e (kind, ordinal, key, payload)
    ON CONFLICT (key) DO UPDATE SET
      payload = excluded.payload, epoch = excluded.epoch, version = effects.version + 1, error = '',
      not_before_at_us = CASE WHEN effects.state = 'pending' THEN effects.not_before_at_us
                              ELSE excluded.not_before_at_us END,
      attempts = CASE WHEN effects.state = 'pending' THEN effects.attempts ELSE 0 END,
      hold = CASE WHEN effects.state = 'pending' THEN effects.hold ELSE effects.hold + 1 END,
      state = 'pending', updated_at_us = excluded.updated_at_us
    WHERE effects.kind = 'sticky' OR effects.state IN ('failed', 'superseded'))
SELECT EXISTS (SELECT FROM c);

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
