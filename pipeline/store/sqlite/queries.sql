-- The statements of the store's operations, by name: every engine has these names. Parameters are numbered; the C++
-- side binds them in that order. What is SQLite's own stands in engine.sql.

-- inbox ---------------------------------------------------------------------------------------------------

-- name: DeferDelivery
UPDATE deliveries SET attempts = attempts + 1, error = ?2, not_before_at_us = ?3
WHERE id = ?1 AND state = 'pending';

-- name: DeliveryState
SELECT state, received_at_us FROM deliveries WHERE id = ?1;

-- name: DecideDelivery
UPDATE deliveries SET state = ?2, outcome = ?3, decided_at_us = ?4 WHERE id = ?1;

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
INSERT INTO remarks (task_id, text, actor, created_at_us) VALUES (?1, ?2, ?3, ?4);

-- name: AddDelegate
INSERT INTO delegates (task_id, account, login, let_by, created_at_us) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (task_id, account) DO UPDATE SET login = excluded.login, let_by = excluded.let_by;

-- name: RemoveDelegate
DELETE FROM delegates WHERE task_id = ?1 AND account = ?2;

-- name: ListDelegates
SELECT account, login, let_by FROM delegates WHERE task_id = ?1 ORDER BY created_at_us, account;

-- name: ListRemarks
SELECT text FROM remarks WHERE task_id = ?1 ORDER BY id;

-- name: MarkRemarksSeen
UPDATE remarks SET seen = 1 WHERE task_id = ?1 AND seen = 0;

-- name: HasUnseenRemark
SELECT 1 FROM remarks WHERE task_id = ?1 AND seen = 0 LIMIT 1;

-- claims --------------------------------------------------------------------------------------------------
-- INDEXED BY: without statistics the planner prefers an index that grows with the table.

-- name: LockClaims
-- One writer: nobody else claims meanwhile.
SELECT 1;

-- name: CountLiveLeases
SELECT count(*) FROM tasks INDEXED BY tasks_leased WHERE lease_node <> '' AND lease_expires_at_us > ?1;

-- name: FindOrphan
-- The oldest lease that is over, in a repository with room (?2 = per repository).
SELECT id, attempt FROM tasks t INDEXED BY tasks_leased
WHERE t.lease_node <> '' AND t.lease_expires_at_us <= ?1
  AND (SELECT count(*) FROM tasks l INDEXED BY tasks_leased
       WHERE l.lease_node <> '' AND l.lease_expires_at_us > ?1 AND l.repo = t.repo) < ?2
ORDER BY t.lease_expires_at_us, t.id
LIMIT 1;

-- name: HasFullRepo
SELECT 1 FROM tasks INDEXED BY tasks_leased
WHERE lease_node <> '' AND lease_expires_at_us > ?1
GROUP BY repo HAVING count(*) >= ?2
LIMIT 1;

-- name: FindQueued
SELECT id, attempt FROM tasks INDEXED BY tasks_queued
WHERE state = 'queued' ORDER BY queued_at_us, id LIMIT 1;

-- name: FindQueuedWithRoom
-- Hops from repository to repository, so that a full one costs one step however long its queue is.
WITH RECURSIVE
  full AS MATERIALIZED (
    SELECT repo FROM tasks INDEXED BY tasks_leased
    WHERE lease_node <> '' AND lease_expires_at_us > ?1
    GROUP BY repo HAVING count(*) >= ?2),
  hop (repo) AS (
    SELECT min(repo) FROM tasks INDEXED BY tasks_queued_by_repo WHERE state = 'queued'
    UNION ALL
    SELECT (SELECT min(t.repo) FROM tasks t INDEXED BY tasks_queued_by_repo
            WHERE t.state = 'queued' AND t.repo > hop.repo)
    FROM hop WHERE hop.repo IS NOT NULL),
  head AS (
    SELECT (SELECT t.id FROM tasks t INDEXED BY tasks_queued_by_repo
            WHERE t.state = 'queued' AND t.repo = hop.repo
            ORDER BY t.queued_at_us, t.id LIMIT 1) AS id
    FROM hop
    WHERE hop.repo IS NOT NULL AND hop.repo NOT IN (SELECT repo FROM full))
SELECT t.id, t.attempt FROM head JOIN tasks t ON t.id = head.id
ORDER BY t.queued_at_us, t.id
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
UPDATE tasks SET lease_expires_at_us = 0, epoch = epoch + 1, updated_at_us = ?1
WHERE lease_node <> '';

-- name: GetLeased
SELECT * FROM task_rows WHERE id = ?1 AND epoch = ?2 AND lease_node = ?3;

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

-- name: HoldsLease
SELECT run FROM tasks WHERE id = ?1 AND epoch = ?2 AND lease_node = ?3;

-- name: StartStep
INSERT INTO steps (task_id, run, cycle, kind, name, required, outcome, summary, commit_sha, log_path,
                   started_at_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'running', ?7, ?8, ?9, ?10)
RETURNING id;

-- name: FinishStep
UPDATE steps SET outcome = ?3, summary = ?4, commit_sha = ?5, finished_at_us = ?6
WHERE id = ?1 AND task_id = ?2 AND outcome = 'running';

-- name: InterruptSteps
UPDATE steps SET outcome = 'interrupted', finished_at_us = ?2 WHERE task_id = ?1 AND outcome = 'running';

-- name: ListSteps
SELECT id, task_id, run, cycle, kind, name, required, outcome, summary, commit_sha, log_path,
       started_at_us, finished_at_us
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
  state = 'pending', updated_at_us = excluded.updated_at_us
WHERE kind = 'sticky' OR state IN ('failed', 'superseded');

-- name: DueEffects
SELECT e.id, e.kind, e.key, r.forge, r.forge_repo_id, r.path, e.task_id, e.payload, e.epoch, e.state,
       e.attempts, e.version, e.error, e.result
FROM effects e
JOIN repos r ON r.id = e.repo
WHERE e.state = 'pending' AND e.not_before_at_us <= ?1
  AND (e.ordinal = 0 OR NOT EXISTS (
        SELECT 1 FROM effects o
        WHERE o.task_id = e.task_id AND o.state = 'pending' AND o.ordinal > 0
          AND (o.ordinal, o.id) < (e.ordinal, e.id)))
ORDER BY e.not_before_at_us, e.id
LIMIT ?2;

-- name: EffectRow
SELECT state, version, kind, task_id FROM effects WHERE id = ?1;

-- name: EndEffect
UPDATE effects SET state = ?2, result = ?3, error = ?4, updated_at_us = ?5 WHERE id = ?1;

-- name: ForgetAttempts
UPDATE effects SET attempts = 0, error = '' WHERE id = ?1;

-- name: RetryEffect
UPDATE effects SET attempts = attempts + 1, error = ?2, not_before_at_us = ?3, updated_at_us = ?4
WHERE id = ?1 AND state = 'pending';

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

-- observers -----------------------------------------------------------------------------------------------

-- name: AddTimeline
INSERT INTO timeline (task_id, at_us, kind, detail) VALUES (?1, ?2, ?3, ?4);

-- name: ListTimeline
SELECT id, task_id, at_us, kind, detail FROM timeline WHERE id > ?1 ORDER BY id LIMIT ?2;

-- name: ListTimelineOfTask
SELECT id, task_id, at_us, kind, detail FROM timeline
WHERE task_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3;

-- name: Counts
SELECT (SELECT coalesce(max(id), 0) FROM deliveries),
       (SELECT count(*) FROM deliveries WHERE state = 'pending'),
       (SELECT count(*) FROM effects WHERE state = 'pending'),
       (SELECT coalesce(max(id), 0) FROM tasks);
