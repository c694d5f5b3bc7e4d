-- The statements of the store's operations, by name: every engine has these names. Parameters are numbered; the C++
-- side binds them in that order. What is SQLite's own stands in engine.sql.

-- inbox ---------------------------------------------------------------------------------------------------

-- name: HoldDelivery
UPDATE deliveries SET held_by = ?2, held_until_at_us = ?3
WHERE id = ?1 AND state = 'pending' AND held_until_at_us <= ?4;

-- name: ReleaseDeliveries
UPDATE deliveries SET held_by = '', held_until_at_us = 0
WHERE state = 'pending' AND held_by <> '' AND held_by = ?1;

-- name: DeferDelivery
UPDATE deliveries SET attempts = attempts + ?4, error = ?2, not_before_at_us = ?3, held_by = '',
                      held_until_at_us = 0
WHERE id = ?1 AND state = 'pending';

-- name: DeliveryState
SELECT state, received_at_us FROM deliveries WHERE id = ?1;

-- name: DecideDelivery
UPDATE deliveries SET state = ?2, outcome = ?3, decided_at_us = ?4 WHERE id = ?1;

-- name: ParkDelivery
UPDATE deliveries SET parked = 1 WHERE id = ?1;

-- name: ListParkedDeliveries
SELECT id, forge, key, event, received_at_us, attempts, outcome FROM deliveries INDEXED BY deliveries_parked
WHERE parked = 1 ORDER BY id DESC LIMIT ?1;

-- name: AddCommand
INSERT INTO commands (key, obeyed_at_us) VALUES (?1, ?2) ON CONFLICT DO NOTHING;

-- repositories --------------------------------------------------------------------------------------------

-- name: FindRepo
SELECT id, path FROM repos WHERE forge = ?1 AND forge_repo_id = ?2;

-- name: AddRepo
INSERT INTO repos (forge, forge_repo_id, path) VALUES (?1, ?2, ?3)
RETURNING id;

-- name: RenameRepo
UPDATE repos SET path = ?2 WHERE id = ?1;

-- tasks ---------------------------------------------------------------------------------------------------

-- name: GetTask
SELECT * FROM task_rows WHERE id = ?1;

-- name: LockTask
-- One writer: nobody changes it before this transaction ends.
SELECT * FROM task_rows WHERE id = ?1;

-- name: FindTaskByIssue
SELECT * FROM task_rows
WHERE repo = (SELECT id FROM repos WHERE forge = ?1 AND forge_repo_id = ?2) AND issue_number = ?3
ORDER BY generation DESC
LIMIT 1;

-- name: FindTaskByPullRequest
SELECT * FROM task_rows
WHERE repo = (SELECT id FROM repos WHERE forge = ?1 AND forge_repo_id = ?2)
  AND pr_number = ?3 AND ?3 > 0
ORDER BY id DESC
LIMIT 1;

-- name: ListTasks
SELECT * FROM task_rows ORDER BY id DESC LIMIT ?1;

-- name: ListTasksByState
SELECT * FROM task_rows WHERE state = ?1 ORDER BY id DESC LIMIT ?2;

-- name: ListTasksByRepo
SELECT * FROM task_rows WHERE path = ?1 ORDER BY id DESC LIMIT ?2;

-- name: ListTasksByRepoAndState
SELECT * FROM task_rows WHERE path = ?1 AND state = ?2 ORDER BY id DESC LIMIT ?3;

-- name: AddTask
INSERT INTO tasks (repo, issue_number, generation, issue_url, title, requester_id, requester_login,
                   requester_is_bot, profile, branch, queued_at_us, created_at_us, updated_at_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)
RETURNING id;

-- name: SetWantedBase
UPDATE tasks SET base_branch = ?2 WHERE id = ?1;

-- name: SetPriority
UPDATE tasks SET priority = ?2 WHERE id = ?1;

-- name: AddDependency
INSERT INTO dependencies (task_id, issue_number) VALUES (?1, ?2) ON CONFLICT DO NOTHING;

-- name: DropDependencies
DELETE FROM dependencies WHERE task_id = ?1;

-- name: ListBlocked
SELECT t.id, r.forge, r.forge_repo_id, r.path, w.issue_number
FROM dependencies w
CROSS JOIN tasks t ON t.id = w.task_id  -- in this order: few tasks wait
JOIN repos r ON r.id = t.repo
WHERE t.state = 'waiting'
ORDER BY w.task_id, w.issue_number
LIMIT ?1;

-- name: AddStart
INSERT INTO task_starts (at_us, repo, forge, account) VALUES (?1, ?2, ?3, ?4);

-- name: DropOldStarts
DELETE FROM task_starts WHERE at_us < ?1;

-- name: CountRepoStarts
SELECT count(*) FROM task_starts s JOIN repos r ON r.id = s.repo
WHERE r.forge = ?1 AND r.forge_repo_id = ?2 AND s.at_us >= ?3;

-- name: CountAccountStarts
SELECT count(*) FROM task_starts WHERE forge = ?1 AND account = ?2 AND at_us >= ?3;

-- name: AddTaskText
INSERT INTO task_texts (task_id, body, hash) VALUES (?1, ?2, ?3);

-- name: SetTaskTitle
UPDATE tasks SET title = ?2 WHERE id = ?1;

-- name: SetTaskText
UPDATE task_texts SET body = ?2, hash = ?3 WHERE task_id = ?1;

-- name: MoveTask
UPDATE tasks SET state = ?2, reason = ?3, stage = 'none', lease_node = '', lease_expires_at_us = 0,
                 updated_at_us = ?4
WHERE id = ?1;

-- name: RaiseEpoch
UPDATE tasks SET epoch = epoch + 1 WHERE id = ?1;

-- name: BeginRun
UPDATE tasks SET run = run + 1, attempt = 0, run_first_cycle = cycle, run_kind = ?2, queued_at_us = ?3
WHERE id = ?1;

-- name: AddRemark
INSERT INTO remarks (task_id, text, actor, created_at_us, threads) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: AddDelegate
INSERT INTO delegates (task_id, account, login, let_by, created_at_us) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (task_id, account) DO UPDATE SET login = excluded.login, let_by = excluded.let_by;

-- name: RemoveDelegate
DELETE FROM delegates WHERE task_id = ?1 AND account = ?2;

-- name: ListDelegates
SELECT account, login, let_by FROM delegates WHERE task_id = ?1 ORDER BY created_at_us, account;

-- name: ListRemarks
SELECT id, text, run, threads FROM remarks WHERE task_id = ?1 ORDER BY id;

-- name: ListSeenRemarks
SELECT id, text, run, threads FROM remarks WHERE task_id = ?1 AND seen = 1 ORDER BY id;

-- name: MarkRemarksSeen
UPDATE remarks SET seen = 1, run = (SELECT run FROM tasks WHERE id = ?1)
WHERE task_id = ?1 AND seen = 0;

-- name: HasUnseenRemark
SELECT 1 FROM remarks WHERE task_id = ?1 AND seen = 0 LIMIT 1;

-- claims --------------------------------------------------------------------------------------------------
-- INDEXED BY: without statistics the planner prefers an index that grows with the table.

-- name: LockClaims
-- One writer: nobody else claims meanwhile.
SELECT 1;

-- name: CountLiveLeases
-- Of one node (?2).
SELECT count(*) FROM tasks INDEXED BY tasks_leased
WHERE lease_node <> '' AND lease_expires_at_us > ?1 AND lease_node = ?2;

-- name: FindOrphan
-- The oldest lease that is over, in a repository with room (?2 = per repository) that is not left alone. After each
-- attempt but the first it rests for ?3 more, unless there have been as many as there may be (?4): then it is only to
-- be buried.
SELECT id, attempt FROM tasks t INDEXED BY tasks_leased
WHERE t.lease_node <> '' AND t.lease_expires_at_us <= ?1
  AND (t.attempt >= ?4 OR t.lease_expires_at_us <= ?1 - (t.attempt - 1) * ?3)
  AND t.level IN ('', ?5, ?6, ?7, ?8)
  AND NOT EXISTS (
        SELECT 1 FROM paces p JOIN repos r ON p.scope IN (r.forge, r.forge || '/' || r.forge_repo_id)
        WHERE r.id = t.repo AND p.breaker = 'open' AND p.paused_until_at_us > ?1)
  AND (SELECT count(*) FROM tasks l INDEXED BY tasks_leased
       WHERE l.lease_node <> '' AND l.lease_expires_at_us > ?1 AND l.repo = t.repo) < ?2
ORDER BY t.lease_expires_at_us, t.id
LIMIT 1;

-- name: HasFullRepo
-- Full is also what is left alone.
SELECT 1 FROM paces WHERE breaker = 'open' AND paused_until_at_us > ?1
UNION ALL
SELECT 1 FROM (
  SELECT repo FROM tasks INDEXED BY tasks_leased
  WHERE lease_node <> '' AND lease_expires_at_us > ?1
  GROUP BY repo HAVING count(*) >= ?2)
LIMIT 1;

-- name: FindQueued
-- The first in line of those at no level yet, or at one of four.
WITH given (level) AS (VALUES (''), (?2), (?3), (?4), (?5)),
  head AS (
    SELECT (SELECT q.id FROM tasks q INDEXED BY tasks_queued
            WHERE q.state = 'queued' AND q.level = given.level AND q.queued_at_us <= ?1
            ORDER BY q.priority, q.queued_at_us, q.id LIMIT 1) AS id
    FROM given)
SELECT t.id, t.attempt FROM head JOIN tasks t ON t.id = head.id
ORDER BY t.priority, t.queued_at_us, t.id
LIMIT 1;

-- name: FindQueuedWithRoom
-- Hops from repository to repository, so that a full one costs one step however long its queue is; once for those at no
-- level yet, and for each of four.
WITH RECURSIVE
  given (level) AS (VALUES (''), (?3), (?4), (?5), (?6)),
  full AS MATERIALIZED (
    SELECT repo FROM tasks INDEXED BY tasks_leased
    WHERE lease_node <> '' AND lease_expires_at_us > ?1
    GROUP BY repo HAVING count(*) >= ?2
    UNION
    SELECT r.id FROM paces p JOIN repos r ON p.scope IN (r.forge, r.forge || '/' || r.forge_repo_id)
    WHERE p.breaker = 'open' AND p.paused_until_at_us > ?1),
  hop (level, repo) AS (
    SELECT given.level, (SELECT min(t.repo) FROM tasks t INDEXED BY tasks_queued_by_repo
                         WHERE t.state = 'queued' AND t.level = given.level)
    FROM given
    UNION ALL
    SELECT hop.level, (SELECT min(t.repo) FROM tasks t INDEXED BY tasks_queued_by_repo
                       WHERE t.state = 'queued' AND t.level = hop.level AND t.repo > hop.repo)
    FROM hop WHERE hop.repo IS NOT NULL),
  head AS (
    SELECT (SELECT t.id FROM tasks t INDEXED BY tasks_queued_by_repo
            WHERE t.state = 'queued' AND t.level = hop.level AND t.repo = hop.repo AND t.queued_at_us <= ?1
            ORDER BY t.priority, t.queued_at_us, t.id LIMIT 1) AS id
    FROM hop
    WHERE hop.repo IS NOT NULL AND hop.repo NOT IN (SELECT repo FROM full))
SELECT t.id, t.attempt FROM head JOIN tasks t ON t.id = head.id
ORDER BY t.priority, t.queued_at_us, t.id
LIMIT 1;

-- name: ClaimTask
UPDATE tasks SET state = 'running', stage = 'provision', reason = '', epoch = epoch + 1,
                 attempt = attempt + 1, lease_node = ?2, lease_expires_at_us = ?3, updated_at_us = ?4
WHERE id = ?1;

-- name: RenewLease
UPDATE tasks SET lease_expires_at_us = ?4 WHERE id = ?1 AND epoch = ?2 AND lease_node = ?3;

-- name: ListLeased
SELECT id FROM tasks INDEXED BY tasks_leased WHERE lease_node <> '';

-- name: ExpireAllLeases
UPDATE tasks SET lease_expires_at_us = min(lease_expires_at_us, ?2), epoch = epoch + 1, updated_at_us = ?1
WHERE lease_node <> '';

-- name: ListLeasedBy
SELECT id FROM tasks INDEXED BY tasks_leased WHERE lease_node <> '' AND lease_node = ?1 ORDER BY id;

-- name: ListLeases
SELECT id, epoch FROM tasks INDEXED BY tasks_leased
WHERE lease_node <> '' AND lease_node = ?1 AND lease_expires_at_us > ?2 ORDER BY id;

-- name: ExpireLease
UPDATE tasks SET lease_expires_at_us = min(lease_expires_at_us, ?4), epoch = epoch + 1, updated_at_us = ?3
WHERE id = ?1 AND lease_node = ?2;

-- name: GetLeased
SELECT * FROM task_rows WHERE id = ?1 AND epoch = ?2 AND lease_node = ?3;

-- levels --------------------------------------------------------------------------------------------------

-- name: SetLevel
UPDATE tasks SET level = ?2, updated_at_us = ?3 WHERE id = ?1;

-- name: AddLevelStep
INSERT INTO task_levels (task_id, level, reasons, run, cycle, at_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: ListLevelSteps
SELECT level, reasons, run, cycle, at_us FROM task_levels WHERE task_id = ?1 ORDER BY id;

-- name: AddBlockedHost
INSERT INTO blocked_hosts (task_id, host, times)
SELECT ?1, ?2, ?3
WHERE (SELECT count(*) FROM blocked_hosts WHERE task_id = ?1) < ?4
   OR EXISTS (SELECT 1 FROM blocked_hosts WHERE task_id = ?1 AND host = ?2)
ON CONFLICT (task_id, host) DO UPDATE SET times = blocked_hosts.times + excluded.times;

-- name: ListBlockedHosts
SELECT host, times FROM blocked_hosts WHERE task_id = ?1 ORDER BY times DESC, host;

-- name: AddSign
INSERT INTO task_signs (task_id, sign) VALUES (?1, ?2) ON CONFLICT DO NOTHING;

-- name: ListSigns
SELECT sign FROM task_signs WHERE task_id = ?1;

-- name: FindStuck
-- Queued, or left by its worker, at one of four levels.
SELECT id FROM tasks INDEXED BY tasks_queued
WHERE state = 'queued' AND level IN (?1, ?2, ?3, ?4)
UNION ALL
SELECT id FROM tasks INDEXED BY tasks_leased
WHERE lease_node <> '' AND lease_expires_at_us <= ?5 AND level IN (?1, ?2, ?3, ?4)
LIMIT ?6;

-- name: FindFree
-- Waiting for one of four levels.
SELECT w.task_id FROM level_waits w
CROSS JOIN tasks t ON t.id = w.task_id
WHERE w.level IN (?1, ?2, ?3, ?4) AND t.state = 'waiting' AND t.epoch = w.epoch
ORDER BY w.task_id
LIMIT ?5;

-- name: AddLevelWait
INSERT INTO level_waits (task_id, level, epoch) SELECT id, level, epoch FROM tasks WHERE id = ?1
ON CONFLICT (task_id) DO UPDATE SET level = excluded.level, epoch = excluded.epoch;

-- name: EndLevelWait
DELETE FROM level_waits WHERE task_id = ?1 AND epoch = ?2;

-- name: DropStaleLevelWaits
DELETE FROM level_waits
WHERE NOT EXISTS (SELECT 1 FROM tasks t
                  WHERE t.id = level_waits.task_id AND t.state = 'waiting' AND t.epoch = level_waits.epoch);

-- a worker's writes ---------------------------------------------------------------------------------------

-- name: SetBase
UPDATE tasks SET base_branch = ?4, base_sha = ?5, updated_at_us = ?6
WHERE id = ?1 AND epoch = ?2 AND lease_node = ?3;

-- name: SetStage
UPDATE tasks SET stage = ?4, cycle = ?5, updated_at_us = ?6
WHERE id = ?1 AND epoch = ?2 AND lease_node = ?3;

-- name: SaveCheckpoint
UPDATE tasks SET checkpoint = ?4, updated_at_us = ?5
WHERE id = ?1 AND epoch = ?2 AND lease_node = ?3;

-- name: PutCheckpoint
INSERT INTO checkpoints (task_id, base_sha, commit_sha, pack, saved_at_us) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (task_id) DO UPDATE SET
  base_sha = excluded.base_sha, commit_sha = excluded.commit_sha, pack = excluded.pack,
  saved_at_us = excluded.saved_at_us;

-- name: LoadCheckpoint
SELECT commit_sha, base_sha, pack FROM checkpoints WHERE task_id = ?1;

-- name: DropCheckpoint
DELETE FROM checkpoints WHERE task_id = ?1;

-- name: DropOldCheckpoints
DELETE FROM checkpoints WHERE task_id IN (
  SELECT c.task_id FROM checkpoints c
  WHERE c.saved_at_us < ?1
    AND (SELECT t.state FROM tasks t WHERE t.id = c.task_id) NOT IN ('queued', 'running')
  LIMIT ?2);

-- name: DropPushedCheckpoint
DELETE FROM checkpoints WHERE task_id = ?1 AND commit_sha = ?2;

-- name: HoldsLease
SELECT run FROM tasks WHERE id = ?1 AND epoch = ?2 AND lease_node = ?3;

-- name: StartStep
INSERT INTO steps (task_id, run, cycle, kind, name, required, outcome, summary, commit_sha, log_path,
                   node, started_at_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'running', ?7, ?8, ?9, ?10, ?11)
RETURNING id;

-- name: FinishStep
UPDATE steps SET outcome = ?3, summary = ?4, commit_sha = ?5, finished_at_us = ?6
WHERE id = ?1 AND task_id = ?2 AND outcome = 'running';

-- name: InterruptSteps
UPDATE steps SET outcome = 'interrupted', finished_at_us = ?2 WHERE task_id = ?1 AND outcome = 'running';

-- name: ListSteps
SELECT id, task_id, run, cycle, kind, name, required, outcome, summary, commit_sha, log_path,
       node, started_at_us, finished_at_us
FROM steps WHERE task_id = ?1 ORDER BY id;

-- name: SaveCycle
INSERT INTO cycles (task_id, cycle, run, commit_sha, tree_sha, passed, digest, signature, finished_at_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (task_id, cycle) DO UPDATE SET
  run = excluded.run, commit_sha = excluded.commit_sha, tree_sha = excluded.tree_sha,
  passed = excluded.passed, digest = excluded.digest, signature = excluded.signature,
  finished_at_us = excluded.finished_at_us;

-- name: ListCycles
SELECT cycle, commit_sha, passed, digest FROM cycles WHERE task_id = ?1 AND run = ?2 ORDER BY cycle;

-- name: ListFailedGates
-- The last word of each required gate in a cycle, when it is not a good one.
SELECT s.name FROM steps s
WHERE s.task_id = ?1 AND s.run = ?2 AND s.cycle = ?3 AND s.kind = 'gate' AND s.required = 1
  AND s.outcome IN ('failed', 'timed_out', 'error')
  AND NOT EXISTS (SELECT 1 FROM steps n
                  WHERE n.task_id = s.task_id AND n.id > s.id AND n.run = s.run
                    AND n.cycle = s.cycle AND n.kind = 'gate' AND n.name = s.name)
ORDER BY s.id;

-- name: PublishTask
UPDATE tasks SET stage = 'publish', reason = ?2, lease_node = '', lease_expires_at_us = 0,
                 updated_at_us = ?3
WHERE id = ?1;

-- name: PutOff
-- Nothing is taken before its time.
UPDATE tasks SET queued_at_us = ?2 WHERE id = ?1;

-- name: ForgiveAttempt
UPDATE tasks SET attempt = max(attempt - 1, 0) WHERE id = ?1;

-- findings ------------------------------------------------------------------------------------------------

-- name: RetireFindings
UPDATE findings SET current = 0 WHERE task_id = ?1 AND resolved = 0;

-- name: SaveFinding
-- One that was resolved and is back is news again.
INSERT INTO findings (task_id, fingerprint, gate, severity, rule, path, line, message)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (task_id, fingerprint) DO UPDATE SET
  gate = excluded.gate, severity = excluded.severity, rule = excluded.rule, path = excluded.path,
  line = excluded.line, message = excluded.message, current = 1,
  posted = CASE WHEN resolved THEN 0 ELSE posted END, resolved = 0;

-- name: DropRetiredFindings
-- What nobody ever saw needs no resolving.
DELETE FROM findings WHERE task_id = ?1 AND current = 0 AND posted = 0;

-- name: ListFindings
SELECT gate, severity, rule, path, line, message, fingerprint, posted, thread_id, resolved
FROM findings WHERE task_id = ?1 ORDER BY id;

-- name: MarkFindingPosted
UPDATE findings SET posted = 1, thread_id = CASE WHEN ?3 = '' THEN thread_id ELSE ?3 END
WHERE task_id = ?1 AND fingerprint = ?2;

-- name: MarkFindingResolved
UPDATE findings SET resolved = 1 WHERE task_id = ?1 AND fingerprint = ?2;

-- outbox --------------------------------------------------------------------------------------------------

-- name: TaskEpoch
SELECT epoch FROM tasks WHERE id = ?1;

-- name: AddEffect
-- A key that is there already stays as it is, unless its effect never happened: then it is due again with
-- the new payload. A sticky effect is due again in any case.
INSERT INTO effects (task_id, repo, kind, ordinal, key, payload, epoch, not_before_at_us, created_at_us,
                     updated_at_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
ON CONFLICT (key) DO UPDATE SET
  payload = excluded.payload, epoch = excluded.epoch, version = version + 1, error = '',
  not_before_at_us = CASE WHEN state = 'pending' THEN not_before_at_us
                          ELSE excluded.not_before_at_us END,
  attempts = CASE WHEN state = 'pending' THEN attempts ELSE 0 END,
  -- Whoever still carries out what was superseded must not end what takes its place.
  hold = CASE WHEN state = 'pending' THEN hold ELSE hold + 1 END,
  state = 'pending', updated_at_us = excluded.updated_at_us
WHERE kind = 'sticky' OR state IN ('failed', 'superseded');

-- name: TakeableEffects
-- ?2 is the most, ?3 how many of them may be pushes.
SELECT e.id, e.kind, e.key, r.forge, r.forge_repo_id, r.path, e.task_id, e.payload, e.epoch, e.state,
       e.attempts, e.version, e.error, e.result, e.hold
FROM effects e
JOIN repos r ON r.id = e.repo
WHERE e.state = 'pending' AND e.not_before_at_us <= ?1 AND e.held_until_at_us <= ?1
  AND (?3 > 0 OR e.kind <> 'push')
  AND (e.ordinal = 0 OR NOT EXISTS (
        SELECT 1 FROM effects o
        WHERE o.task_id = e.task_id AND o.state = 'pending' AND o.ordinal > 0
          AND (o.ordinal, o.id) < (e.ordinal, e.id)))
  AND NOT EXISTS (
        SELECT 1 FROM paces p
        WHERE p.breaker <> 'closed' AND p.paused_until_at_us > ?1
          AND (p.scope = r.forge
               OR (e.kind IN ('push', 'pull_request')
                   AND p.scope = r.forge || '/' || r.forge_repo_id)))
ORDER BY e.not_before_at_us, e.id
LIMIT ?2;

-- name: HoldEffect
UPDATE effects SET held_by = ?2, held_until_at_us = ?3, hold = hold + 1
WHERE id = ?1 AND state = 'pending' AND held_until_at_us <= ?4
RETURNING hold;

-- name: RenewHold
UPDATE effects SET held_until_at_us = ?3 WHERE id = ?1 AND hold = ?2 AND state = 'pending';

-- name: ReleaseEffects
UPDATE effects SET held_by = '', held_until_at_us = 0
WHERE state = 'pending' AND held_by <> '' AND held_by = ?1;

-- name: ListFailedEffects
SELECT e.id, e.kind, r.path, coalesce(e.task_id, 0), e.attempts, e.error, e.updated_at_us
FROM effects e INDEXED BY effects_failed
JOIN repos r ON r.id = e.repo
WHERE e.state = 'failed' ORDER BY e.updated_at_us DESC, e.id DESC LIMIT ?1;

-- name: EffectRow
SELECT state, version, kind, task_id, hold FROM effects WHERE id = ?1;

-- name: EndEffect
UPDATE effects SET state = ?2, result = ?3, error = ?4, held_by = '', held_until_at_us = 0,
                   updated_at_us = ?5
WHERE id = ?1;

-- name: ForgetAttempts
UPDATE effects SET attempts = 0, error = '', held_by = '', held_until_at_us = 0 WHERE id = ?1;

-- name: RetryEffect
UPDATE effects SET attempts = attempts + ?5, error = ?3, not_before_at_us = ?4, held_by = '',
                   held_until_at_us = 0, updated_at_us = ?6
WHERE id = ?1 AND hold = ?2 AND state = 'pending';

-- name: TouchEffect
UPDATE effects SET state = 'pending', version = version + 1, attempts = 0, error = '',
                   not_before_at_us = ?2, updated_at_us = ?3
WHERE key = ?1;

-- name: SupersedeEffects
UPDATE effects SET state = 'superseded', updated_at_us = ?2
WHERE task_id = ?1 AND state = 'pending' AND ordinal > 0;

-- name: HasEffectInLine
SELECT 1 FROM effects WHERE task_id = ?1 AND state = 'pending' AND ordinal > 0 LIMIT 1;

-- name: SetPushed
UPDATE tasks SET pushed = ?2 WHERE id = ?1;

-- name: SetPullRequest
UPDATE tasks SET pr_number = ?2 WHERE id = ?1;

-- name: SetPullRequestUrl
UPDATE tasks SET pr_url = ?2 WHERE id = ?1;

-- name: SetStickyComment
UPDATE tasks SET sticky_comment_id = ?2 WHERE id = ?1;

-- nodes ---------------------------------------------------------------------------------------------------

-- name: SaveNode
INSERT INTO nodes (name, instance, host, roles, version, url, started_at_us, heartbeat_at_us, levels, lacks)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (name) DO UPDATE SET
  instance = excluded.instance, host = excluded.host, roles = excluded.roles,
  version = excluded.version, url = excluded.url, started_at_us = excluded.started_at_us,
  heartbeat_at_us = excluded.heartbeat_at_us, levels = excluded.levels, lacks = excluded.lacks;

-- name: ListNodes
SELECT node.name, node.instance, node.host, node.roles, node.version, node.url, node.started_at_us, node.heartbeat_at_us,
       (SELECT count(*) FROM tasks t INDEXED BY tasks_leased
        WHERE t.lease_node <> '' AND t.lease_expires_at_us > ?1 AND t.lease_node = node.name),
       node.levels, node.lacks
FROM nodes AS node ORDER BY node.name LIMIT ?2;

-- name: ForgetNode
DELETE FROM nodes WHERE name = ?1 AND instance = ?2;

-- paces ---------------------------------------------------------------------------------------------------

-- name: GetPace
SELECT scope, breaker, cause, on_write, failures, pauses, paused_until_at_us, next_write_at_us,
       points_until_at_us, content_until_at_us, since_at_us, reason
FROM paces WHERE scope = ?1;

-- name: LockPace
SELECT scope, breaker, cause, on_write, failures, pauses, paused_until_at_us, next_write_at_us,
       points_until_at_us, content_until_at_us, since_at_us, reason
FROM paces WHERE scope = ?1;

-- name: ListTroubledPaces
SELECT scope, breaker, cause, on_write, failures, pauses, paused_until_at_us, next_write_at_us,
       points_until_at_us, content_until_at_us, since_at_us, reason
FROM paces WHERE breaker <> 'closed' ORDER BY scope;

-- name: AddPace
INSERT INTO paces (scope) VALUES (?1) ON CONFLICT DO NOTHING;

-- name: SavePace
UPDATE paces SET breaker = ?2, cause = ?3, on_write = ?4, failures = ?5, pauses = ?6,
                 paused_until_at_us = ?7, next_write_at_us = ?8, points_until_at_us = ?9,
                 content_until_at_us = ?10, since_at_us = ?11, reason = ?12
WHERE scope = ?1;

-- observers -----------------------------------------------------------------------------------------------

-- name: AddTimeline
INSERT INTO timeline (task_id, at_us, kind, detail) VALUES (?1, ?2, ?3, ?4);

-- name: ListTimeline
SELECT id, task_id, at_us, kind, detail FROM timeline WHERE id > ?1 ORDER BY id LIMIT ?2;

-- name: ListTimelineOfTask
SELECT id, task_id, at_us, kind, detail FROM timeline
WHERE task_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3;

-- name: AddAudit
INSERT INTO audit (at_us, actor, action, task, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: LockAuditHead
-- One writer: nobody seals before this transaction ends.
SELECT seq, hash FROM audit_head;

-- name: AuditHead
SELECT seq, hash FROM audit_head;

-- name: SetAuditHead
UPDATE audit_head SET seq = ?1, hash = ?2;

-- name: ListUnsealed
SELECT id, at_us, actor, action, task, subject, detail FROM audit INDEXED BY audit_unsealed
WHERE seq IS NULL ORDER BY id LIMIT ?1;

-- name: SealRecord
UPDATE audit SET seq = ?2, hash = ?3 WHERE id = ?1;

-- name: ListAudit
SELECT seq, hash, at_us, actor, action, task, subject, detail FROM audit INDEXED BY audit_sealed
WHERE seq > ?1 ORDER BY seq LIMIT ?2;

-- name: CountUnsealed
SELECT count(*) FROM audit INDEXED BY audit_unsealed WHERE seq IS NULL;

-- name: Counts
SELECT (SELECT coalesce(max(id), 0) FROM deliveries),
       (SELECT count(*) FROM deliveries WHERE state = 'pending'),
       (SELECT count(*) FROM effects WHERE state = 'pending'),
       (SELECT coalesce(max(id), 0) FROM tasks);

-- polls ---------------------------------------------------------------------------------------------------

-- name: GetPoll
SELECT key, cursor, etag FROM polls WHERE key = ?1;

-- name: SetPoll
INSERT INTO polls (key, cursor, etag, updated_at_us) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (key) DO UPDATE SET cursor = ?2, etag = ?3, updated_at_us = ?4;

-- name: ForgetPoll
DELETE FROM polls WHERE key = ?1;

-- name: ListPolls
SELECT key, cursor, etag FROM polls WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key LIMIT ?2;

-- name: IsObeyed
SELECT 1 FROM commands WHERE key = ?1;

-- name: HasDelivery
SELECT 1 FROM deliveries WHERE hash = delivery_hash(?1, ?2) AND forge = ?1 AND key = ?2;

-- name: HasDeliverySince
SELECT 1 FROM deliveries
WHERE id > (SELECT COALESCE(MAX(id), 0) FROM deliveries) - 10000 AND forge = ?1 AND received_at_us >= ?2
LIMIT 1;

-- name: SetByLabel
INSERT INTO label_tasks (task_id) VALUES (?1) ON CONFLICT DO NOTHING;

-- name: SetByCommand
DELETE FROM label_tasks WHERE task_id = ?1;

-- name: IsByLabel
SELECT 1 FROM label_tasks WHERE task_id = ?1;

-- name: AdoptHead
UPDATE tasks SET checkpoint = ?2, pushed = ?2 WHERE id = ?1;
