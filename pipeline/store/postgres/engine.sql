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

-- name: ClaimMany
-- As FindOrphan, FindQueued, FindQueuedWithRoom and ClaimTask together with what the timeline and the audit log say of
-- it, for tasks that nobody has worked on in this run, at no level yet, and that have no remarks: as many as go before
-- the first that is of another kind, and none at all while an orphan goes first. Behind LockClaims, so that what is
-- counted is what there is. $1 now (NULL: the clock's), $2 node, $3 lease, $4 cap of the node, $5 cap per repository, $6 attempts, $7 now for
-- people, $8 how many at most, $9 rest between attempts, $10 the claim's own number, $11 and $12 the timeline's kind and
-- words, $13 to $16 the audit log's actor, action, subject and detail, in which {run} stands for the run, $17 to $20 the
-- levels that the node gives, $21 and $22 tasks and epochs of runs (NULL: none): no more than those of them that have
-- ended. Each row: is there nothing to do, is this a claim, and the task as LockTask
-- gives it; one row when nothing was claimed.
-- Plans are made once, perhaps for empty tables: OFFSET 0 and what looks clumsy below keep them from other indexes.
WITH
  clock AS MATERIALIZED (
    SELECT coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS now),
  closed AS MATERIALIZED (
    SELECT r.id AS repo FROM paces p JOIN repos r ON r.forge = p.scope
    WHERE p.breaker = 'open' AND p.paused_until_at_us > (SELECT now FROM clock)
    UNION ALL
    SELECT r.id FROM paces p JOIN repos r ON r.forge || '/' || r.forge_repo_id = p.scope
    WHERE p.breaker = 'open' AND p.paused_until_at_us > (SELECT now FROM clock)),
  held AS MATERIALIZED (
    SELECT l.repo, count(*) FILTER (WHERE NOT l.over) AS tasks,
           count(*) FILTER (WHERE NOT l.over AND l.lease_node = $2) AS own,
           bool_or(l.over AND l.level IN ('', $17, $18, $19, $20)
                   AND (l.attempt >= $6::bigint
                        OR l.lease_expires_at_us <= l.now - (l.attempt - 1) * $9::bigint)) AS orphaned
    FROM (SELECT t.repo, t.lease_node, t.attempt, t.lease_expires_at_us, t.level, clock.now,
                 t.lease_expires_at_us <= clock.now AS over
          FROM clock CROSS JOIN tasks t WHERE t.lease_node <> '' OFFSET 0) l
    GROUP BY l.repo),
  room AS MATERIALIZED (
    SELECT greatest(least($8::bigint, $4::bigint - coalesce(sum(own), 0)::bigint,
                          CASE WHEN $21::bigint[] IS NOT NULL THEN (
                            SELECT count(*) FROM unnest($21::bigint[], $22::bigint[]) AS e (task, epoch)
                            CROSS JOIN LATERAL (
                              SELECT t.epoch, t.lease_node FROM tasks t WHERE t.id = e.task OFFSET 0) t
                            WHERE t.epoch = e.epoch AND t.lease_node = '') END), 0) AS tasks,
           $6::bigint < 1
           OR coalesce(bool_or(orphaned AND tasks < $5::bigint AND repo NOT IN (SELECT repo FROM closed)), false)
           -- What is at a level was begun already. What nobody may claim holds up nothing.
           OR EXISTS (SELECT FROM tasks q
                      WHERE q.state = 'queued' AND q.level IN ($17, $18, $19, $20)
                        AND q.queued_at_us <= (SELECT now FROM clock)
                        AND q.repo NOT IN (SELECT repo FROM closed)
                        AND q.repo NOT IN (SELECT repo FROM held WHERE tasks >= $5::bigint)) AS odd
    FROM held),
  -- The queue's head, if each of its tasks finds room in its repository. If not, the heads of all repositories'.
  ahead AS MATERIALIZED (
    SELECT q.id, q.repo, q.priority AS rank, q.queued_at_us,
           row_number() OVER (PARTITION BY q.repo ORDER BY q.priority, q.queued_at_us, q.id) AS place
    FROM (SELECT t.id, t.repo, t.priority, t.queued_at_us FROM tasks t
          WHERE NOT (SELECT odd FROM room) AND t.state = 'queued' AND t.level = ''
            AND t.queued_at_us <= (SELECT now FROM clock)
          ORDER BY t.priority, t.queued_at_us, t.id
          LIMIT (SELECT tasks FROM room)) q),
  crowd AS MATERIALIZED (
    SELECT EXISTS (
      SELECT FROM ahead a LEFT JOIN held h ON h.repo = a.repo
      WHERE coalesce(h.tasks, 0) + a.place > $5::bigint OR a.repo IN (SELECT repo FROM closed)) AS met),
  line AS MATERIALIZED (
    SELECT id, rank, queued_at_us FROM ahead WHERE NOT (SELECT met FROM crowd)
    UNION ALL
    SELECT q.task, q.rank, q.since_us
    FROM (SELECT FROM crowd WHERE met) full_repos
    CROSS JOIN LATERAL queue_heads(
      (SELECT tasks FROM room), $5::bigint, (SELECT now FROM clock), ARRAY(SELECT repo FROM held ORDER BY repo),
      ARRAY(SELECT tasks FROM held ORDER BY repo), ARRAY(SELECT repo FROM closed)) q),
  fresh AS MATERIALIZED (
    SELECT l.id
    FROM (SELECT line.id, bool_and(k.fresh) OVER (ORDER BY line.rank, line.queued_at_us, line.id) AS fresh
          FROM line
          CROSS JOIN LATERAL (
            SELECT t.attempt = 0 AND NOT EXISTS (SELECT FROM remarks m WHERE m.task_id = t.id) AS fresh
            FROM tasks t WHERE t.id = line.id OFFSET 0) k) l
    WHERE l.fresh),
  picked AS MATERIALIZED (
    SELECT t.id, r.forge, r.forge_repo_id, r.path, x.body, x.hash
    FROM tasks t
    CROSS JOIN LATERAL (SELECT * FROM repos WHERE id = t.repo OFFSET 0) r
    CROSS JOIN LATERAL (SELECT * FROM task_texts WHERE task_id = t.id OFFSET 0) x
    WHERE t.id = ANY (ARRAY(SELECT id FROM fresh)) AND t.state || '' = 'queued' AND t.level || '' = '' AND t.attempt = 0 AND NOT t.remarked
    FOR NO KEY UPDATE OF t SKIP LOCKED),
  c AS (
    UPDATE tasks t SET
      state = 'running', stage = 'provision', reason = '', epoch = t.epoch + 1, attempt = 1, lease_node = $2,
      lease_expires_at_us = (SELECT now FROM clock) + $3::bigint, claim = $10::bigint, updated_at_us = $7::bigint
    FROM picked p
    WHERE t.id = p.id AND t.id = ANY (ARRAY(SELECT id FROM picked))
    RETURNING t.*, p.forge, p.forge_repo_id, p.path, p.body, p.hash),
  told AS (
    INSERT INTO timeline (task_id, at_us, kind, detail) SELECT c.id, $7::bigint, $11, $12 FROM c),
  noted AS (
    INSERT INTO audit (at_us, actor, action, task, subject, detail)
    SELECT $7::bigint, $13, $14, audit_key(c.forge, c.path, c.issue_number, c.generation), $15,
           replace($16, '{run}', c.run::text)
    FROM c)
SELECT room.tasks = 0 OR NOT (room.odd OR EXISTS (SELECT FROM line)), c.id IS NOT NULL,
       c.id, c.forge, c.forge_repo_id, c.path, c.issue_number, c.generation, c.issue_url, c.title,
       c.body, c.hash, c.requester_id, c.requester_login, c.requester_is_bot, c.profile, c.priority, c.state,
       c.reason, c.stage, c.run_kind, c.run, c.attempt, c.cycle, c.run_first_cycle, c.base_branch,
       c.base_sha, c.branch, c.checkpoint, c.pushed, c.pr_number, c.pr_url, c.sticky_comment_id, c.level,
       c.epoch, c.lease_node, c.lease_expires_at_us, c.created_at_us, c.updated_at_us
FROM room
LEFT JOIN c ON true
ORDER BY c.priority, c.queued_at_us, c.id;

-- name: FindClaims
-- Whose answer was lost: $1 its node, $2 its number. As LockTask.
SELECT t.id, r.forge, r.forge_repo_id, r.path, t.issue_number, t.generation, t.issue_url, t.title,
       x.body, x.hash, t.requester_id, t.requester_login, t.requester_is_bot, t.profile, t.priority, t.state,
       t.reason, t.stage, t.run_kind, t.run, t.attempt, t.cycle, t.run_first_cycle, t.base_branch,
       t.base_sha, t.branch, t.checkpoint, t.pushed, t.pr_number, t.pr_url, t.sticky_comment_id, t.level,
       t.epoch, t.lease_node, t.lease_expires_at_us, t.created_at_us, t.updated_at_us
FROM tasks t
JOIN repos r ON r.id = t.repo
JOIN task_texts x ON x.task_id = t.id
WHERE t.lease_node <> '' AND t.lease_node = $1 AND t.claim = $2
FOR NO KEY UPDATE OF t;

-- name: EndRuns
-- As GetLeased, MoveTask, InterruptSteps, AddEffect, AddTimeline and AddAudit together, for runs that leave nothing to
-- publish and tasks that no remark waits for. Arrays, one element for each run: $1 task, $2 epoch, $3 node, $4 state,
-- $5 reason, $6 and $7 the timeline's kind and words, $8 to $11 the audit log's actor, action, subject and detail, $12 to
-- $14 the forge, number and path of its effects' repository ('' without effects). Arrays, one element for each effect:
-- $15 task, $16 kind, $17 ordinal, $18 key, $19 payload. $20 now for people, $21 now (NULL: the clock's). The tasks whose
-- runs were ended; one that somebody else has locked is left alone.
WITH
  said AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
      AS s (task, epoch, node, state, reason, kind, words, actor, action, subject, detail, forge, forge_repo_id, path)),
  locked AS MATERIALIZED (
    SELECT t.id, r.forge, r.path
    FROM said s
    JOIN tasks t ON t.id = s.task
    CROSS JOIN LATERAL (SELECT * FROM repos WHERE id = t.repo OFFSET 0) r
    WHERE t.id = ANY ($1::bigint[]) AND t.epoch = s.epoch AND t.lease_node = s.node AND s.node <> ''
      AND NOT t.remarked
      AND (s.path = '' OR (r.forge = s.forge AND r.forge_repo_id = s.forge_repo_id AND r.path = s.path))
    FOR NO KEY UPDATE OF t SKIP LOCKED),
  c AS (
    UPDATE tasks t SET state = s.state, reason = s.reason, stage = 'none', lease_node = '', lease_expires_at_us = 0,
                       updated_at_us = $20::bigint
    FROM said s
    JOIN locked l ON l.id = s.task
    WHERE t.id = s.task AND t.id = ANY (ARRAY(SELECT id FROM locked))
    RETURNING t.id, t.repo, t.issue_number, t.generation, t.epoch, l.forge, l.path,
              s.kind, s.words, s.actor, s.action, s.subject, s.detail),
  interrupted AS (
    UPDATE steps s SET outcome = 'interrupted', finished_at_us = $20::bigint
    WHERE s.task_id = ANY (ARRAY(SELECT id FROM c)) AND s.outcome = 'running'),
  told AS (
    INSERT INTO timeline (task_id, at_us, kind, detail) SELECT c.id, $20::bigint, c.kind, c.words FROM c),
  noted AS (
    INSERT INTO audit (at_us, actor, action, task, subject, detail)
    SELECT $20::bigint, c.actor, c.action, audit_key(c.forge, c.path, c.issue_number, c.generation), c.subject, c.detail
    FROM c),
  added AS (
    INSERT INTO effects (task_id, repo, kind, ordinal, key, payload, epoch, not_before_at_us, created_at_us,
                         updated_at_us)
    SELECT c.id, c.repo, e.kind, e.ordinal, e.key, e.payload, c.epoch,
           coalesce($21::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint), $20::bigint, $20::bigint
    FROM unnest($15::bigint[], $16::text[], $17::bigint[], $18::text[], $19::text[]) WITH ORDINALITY
      AS e (task, kind, ordinal, key, payload, place)
    JOIN c ON c.id = e.task
    ORDER BY e.place
    ON CONFLICT (key) DO UPDATE SET
      payload = excluded.payload, epoch = excluded.epoch, version = effects.version + 1, error = '',
      not_before_at_us = CASE WHEN effects.state = 'pending' THEN effects.not_before_at_us
                              ELSE excluded.not_before_at_us END,
      attempts = CASE WHEN effects.state = 'pending' THEN effects.attempts ELSE 0 END,
      hold = CASE WHEN effects.state = 'pending' THEN effects.hold ELSE effects.hold + 1 END,
      state = 'pending', updated_at_us = excluded.updated_at_us
    WHERE effects.kind = 'sticky' OR effects.state IN ('failed', 'superseded'))
SELECT id FROM c;

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
