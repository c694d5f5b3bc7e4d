-- Issues of its repository that a task waits for, until it is queued.
CREATE TABLE dependencies (
  task_id      BIGINT NOT NULL REFERENCES tasks (id),
  issue_number BIGINT NOT NULL CHECK (issue_number > 0),
  PRIMARY KEY (task_id, issue_number)
);

-- When tasks began, for whom: what quotas count. Forgotten after a day.
CREATE TABLE task_starts (
  at_us   BIGINT NOT NULL,
  repo    BIGINT NOT NULL REFERENCES repos (id),
  forge   TEXT NOT NULL,
  account TEXT NOT NULL
);
CREATE INDEX task_starts_by_repo ON task_starts (repo, at_us);
CREATE INDEX task_starts_by_account ON task_starts (forge, account, at_us);
CREATE INDEX task_starts_by_time ON task_starts (at_us);
