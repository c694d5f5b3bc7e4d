-- The processes that share the store, and what of a task travels between them.

CREATE TABLE nodes (
  name            TEXT PRIMARY KEY CHECK (name <> ''),
  instance        TEXT NOT NULL,  -- of the process: another one after each start
  host            TEXT NOT NULL,
  roles           TEXT NOT NULL,
  version         TEXT NOT NULL,
  url             TEXT NOT NULL,
  started_at_us   BIGINT NOT NULL,
  heartbeat_at_us BIGINT NOT NULL  -- by the engine's clock
);

-- The newest checkpoint of a task whose commits the forge does not have yet.
CREATE TABLE checkpoints (
  task_id     BIGINT PRIMARY KEY REFERENCES tasks (id),
  base_sha    TEXT NOT NULL,
  commit_sha  TEXT NOT NULL,
  pack        BYTEA NOT NULL,
  saved_at_us BIGINT NOT NULL
);
-- It is compressed already.
ALTER TABLE checkpoints ALTER COLUMN pack SET STORAGE EXTERNAL;

-- Whose disk holds the step's log.
ALTER TABLE steps ADD COLUMN node TEXT NOT NULL DEFAULT '';
