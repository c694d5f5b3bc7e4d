-- Issues of its repository that a task waits for, until it is queued.
CREATE TABLE dependencies (
  task_id      INTEGER NOT NULL REFERENCES tasks (id),
  issue_number INTEGER NOT NULL CHECK (issue_number > 0),
  PRIMARY KEY (task_id, issue_number)
) STRICT, WITHOUT ROWID;

-- When tasks began, for whom: what quotas count. Forgotten after a day.
CREATE TABLE task_starts (
  at_us   INTEGER NOT NULL,
  repo    INTEGER NOT NULL REFERENCES repos (id),
  forge   TEXT NOT NULL,
  account TEXT NOT NULL
) STRICT;
CREATE INDEX task_starts_by_repo ON task_starts (repo, at_us);
CREATE INDEX task_starts_by_account ON task_starts (forge, account, at_us);
CREATE INDEX task_starts_by_time ON task_starts (at_us);
