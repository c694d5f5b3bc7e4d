-- The first schema. Times are UTC microseconds in columns named *_at_us; states are words held by CHECKs.
-- Rows of deliveries and tasks are never deleted: their largest id is their number.

CREATE TABLE repos (
  id            INTEGER PRIMARY KEY,
  forge         TEXT NOT NULL,
  forge_repo_id TEXT NOT NULL,  -- immutable at the forge; the path may change
  path          TEXT NOT NULL,
  UNIQUE (forge, forge_repo_id)
) STRICT;
CREATE INDEX repos_by_path ON repos (path);

-- The inbox. A row stays for ever, because it is what tells a repeated delivery. Its body lies in the body log
-- beside the database (body_log.h) and goes some time after it was decided.
CREATE TABLE deliveries (
  id               INTEGER PRIMARY KEY,
  forge            TEXT NOT NULL,
  key              TEXT NOT NULL,
  event            TEXT NOT NULL,
  state            TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'ignored')),
  attempts         INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  received_at_us   INTEGER NOT NULL,
  not_before_at_us INTEGER NOT NULL,
  decided_at_us    INTEGER,
  outcome          TEXT NOT NULL DEFAULT '',
  error            TEXT NOT NULL DEFAULT '',
  body_segment     INTEGER NOT NULL,
  body_position    INTEGER NOT NULL,
  body_size        INTEGER NOT NULL,
  CHECK ((state = 'pending') = (decided_at_us IS NULL)),
  UNIQUE (forge, key)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (not_before_at_us, id) WHERE state = 'pending';

-- Up to where the records of a segment have their rows. What lies behind was lost with a power cut, or never
-- acknowledged, and gets its rows when the store opens.
CREATE TABLE body_segments (
  segment INTEGER PRIMARY KEY,
  applied INTEGER NOT NULL CHECK (applied >= 0)
) STRICT;

-- Tells the log of this database from any other.
CREATE TABLE body_salt (salt INTEGER NOT NULL) STRICT;
INSERT INTO body_salt VALUES (random());

-- Which comments were obeyed (T19).
CREATE TABLE commands (
  key       TEXT PRIMARY KEY,
  obeyed_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
  id                  INTEGER PRIMARY KEY,
  repo                INTEGER NOT NULL REFERENCES repos (id),
  issue_number        INTEGER NOT NULL,
  generation          INTEGER NOT NULL CHECK (generation >= 1),
  issue_url           TEXT NOT NULL,
  title               TEXT NOT NULL,
  requester_id        TEXT NOT NULL,
  requester_login     TEXT NOT NULL,
  requester_is_bot    INTEGER NOT NULL CHECK (requester_is_bot IN (0, 1)),
  profile             TEXT NOT NULL,
  state               TEXT NOT NULL DEFAULT 'queued' CHECK (state IN (
                        'queued', 'running', 'in_review', 'waiting', 'merged', 'closed', 'failed',
                        'cancelled')),
  reason              TEXT NOT NULL DEFAULT '',
  stage               TEXT NOT NULL DEFAULT 'none' CHECK (stage IN (
                        'none', 'provision', 'agent', 'gates', 'publish')),
  run_kind            TEXT NOT NULL DEFAULT 'implement' CHECK (run_kind IN (
                        'implement', 'fix', 'gates')),
  run                 INTEGER NOT NULL DEFAULT 1 CHECK (run >= 1),
  attempt             INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  cycle               INTEGER NOT NULL DEFAULT 0 CHECK (cycle >= 0),
  run_first_cycle     INTEGER NOT NULL DEFAULT 0 CHECK (run_first_cycle >= 0),
  base_branch         TEXT NOT NULL DEFAULT '',
  base_sha            TEXT NOT NULL DEFAULT '',
  branch              TEXT NOT NULL CHECK (branch <> ''),
  checkpoint          TEXT NOT NULL DEFAULT '',
  pushed              TEXT NOT NULL DEFAULT '',
  pr_number           INTEGER NOT NULL DEFAULT 0,
  pr_url              TEXT NOT NULL DEFAULT '',
  sticky_comment_id   TEXT NOT NULL DEFAULT '',
  epoch               INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0),
  lease_node          TEXT NOT NULL DEFAULT '',
  lease_expires_at_us INTEGER NOT NULL DEFAULT 0,
  queued_at_us        INTEGER NOT NULL,
  created_at_us       INTEGER NOT NULL,
  updated_at_us       INTEGER NOT NULL,
  UNIQUE (repo, issue_number, generation),
  CHECK (state = 'running' OR (stage = 'none' AND lease_node = '')),
  -- Nobody holds a running task only while the publisher ends its run.
  CHECK (state <> 'running' OR lease_node <> '' OR stage = 'publish')
) STRICT;
CREATE INDEX tasks_queued ON tasks (queued_at_us, id) WHERE state = 'queued';
CREATE INDEX tasks_queued_by_repo ON tasks (repo, queued_at_us, id) WHERE state = 'queued';
CREATE INDEX tasks_leased ON tasks (lease_expires_at_us, id) WHERE lease_node <> '';
CREATE INDEX tasks_by_state ON tasks (state, id);
CREATE INDEX tasks_by_repo ON tasks (repo, id);
CREATE INDEX tasks_by_pr ON tasks (repo, pr_number, id);

-- Apart from the row above, which every stage rewrites.
CREATE TABLE task_texts (
  task_id INTEGER PRIMARY KEY REFERENCES tasks (id),
  body    TEXT NOT NULL,
  hash    TEXT NOT NULL
) STRICT;

-- In the order of the struct Task.
CREATE VIEW task_rows AS
SELECT t.id, r.forge, r.forge_repo_id, r.path, t.issue_number, t.generation, t.issue_url, t.title,
       x.body, x.hash, t.requester_id, t.requester_login, t.requester_is_bot, t.profile, t.state,
       t.reason, t.stage, t.run_kind, t.run, t.attempt, t.cycle, t.run_first_cycle, t.base_branch,
       t.base_sha, t.branch, t.checkpoint, t.pushed, t.pr_number, t.pr_url, t.sticky_comment_id,
       t.epoch, t.lease_node, t.lease_expires_at_us, t.created_at_us, t.updated_at_us, t.repo
FROM tasks t
JOIN repos r ON r.id = t.repo
JOIN task_texts x ON x.task_id = t.id;

CREATE TABLE remarks (
  id            INTEGER PRIMARY KEY,
  task_id       INTEGER NOT NULL REFERENCES tasks (id),
  text          TEXT NOT NULL,
  actor         TEXT NOT NULL,
  seen          INTEGER NOT NULL DEFAULT 0 CHECK (seen IN (0, 1)),  -- handed to a worker
  created_at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX remarks_by_task ON remarks (task_id, id);

CREATE TABLE cycles (
  task_id        INTEGER NOT NULL REFERENCES tasks (id),
  cycle          INTEGER NOT NULL,
  run            INTEGER NOT NULL,
  commit_sha     TEXT NOT NULL,
  tree_sha       TEXT NOT NULL,
  passed         INTEGER NOT NULL CHECK (passed IN (0, 1)),
  digest         TEXT NOT NULL,
  signature      TEXT NOT NULL,
  finished_at_us INTEGER NOT NULL,
  PRIMARY KEY (task_id, cycle)
) STRICT;

CREATE TABLE steps (
  id             INTEGER PRIMARY KEY,
  task_id        INTEGER NOT NULL REFERENCES tasks (id),
  run            INTEGER NOT NULL,
  cycle          INTEGER NOT NULL,
  kind           TEXT NOT NULL CHECK (kind IN ('provision', 'agent', 'gate', 'publish')),
  name           TEXT NOT NULL,
  required       INTEGER NOT NULL CHECK (required IN (0, 1)),
  outcome        TEXT NOT NULL,
  summary        TEXT NOT NULL,
  commit_sha     TEXT NOT NULL,
  log_path       TEXT NOT NULL,
  started_at_us  INTEGER NOT NULL,
  finished_at_us INTEGER,
  CHECK ((outcome = 'running') = (finished_at_us IS NULL))
) STRICT;
CREATE INDEX steps_by_task ON steps (task_id, id);
CREATE INDEX steps_running ON steps (task_id) WHERE outcome = 'running';

CREATE TABLE findings (
  id          INTEGER PRIMARY KEY,
  task_id     INTEGER NOT NULL REFERENCES tasks (id),
  fingerprint TEXT NOT NULL,
  gate        TEXT NOT NULL,
  severity    TEXT NOT NULL CHECK (severity IN ('error', 'warning', 'note')),
  rule        TEXT NOT NULL,
  path        TEXT NOT NULL,
  line        INTEGER NOT NULL,
  message     TEXT NOT NULL,
  current     INTEGER NOT NULL DEFAULT 1 CHECK (current IN (0, 1)),  -- in the newest published commit
  posted      INTEGER NOT NULL DEFAULT 0 CHECK (posted IN (0, 1)),
  thread_id   TEXT NOT NULL DEFAULT '',
  resolved    INTEGER NOT NULL DEFAULT 0 CHECK (resolved IN (0, 1)),
  UNIQUE (task_id, fingerprint)
) STRICT;

-- The outbox. `ordinal` is the place of a kind among those that wait for one another; 0 waits for nothing.
CREATE TABLE effects (
  id               INTEGER PRIMARY KEY,
  task_id          INTEGER REFERENCES tasks (id),
  repo             INTEGER NOT NULL REFERENCES repos (id),
  kind             TEXT NOT NULL CHECK (kind IN (
                     'reaction', 'comment', 'sticky', 'push', 'pull_request', 'status', 'review',
                     'resolve')),
  ordinal          INTEGER NOT NULL,
  key              TEXT NOT NULL UNIQUE,
  payload          TEXT NOT NULL,
  epoch            INTEGER NOT NULL,
  state            TEXT NOT NULL DEFAULT 'pending' CHECK (state IN (
                     'pending', 'done', 'failed', 'superseded')),
  attempts         INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  version          INTEGER NOT NULL DEFAULT 1,
  error            TEXT NOT NULL DEFAULT '',
  result           TEXT NOT NULL DEFAULT '',
  not_before_at_us INTEGER NOT NULL,
  created_at_us    INTEGER NOT NULL,
  updated_at_us    INTEGER NOT NULL,
  CHECK ((ordinal = 0) = (kind IN ('reaction', 'comment', 'sticky')))
) STRICT;
CREATE INDEX effects_due ON effects (not_before_at_us, id) WHERE state = 'pending';
CREATE INDEX effects_in_line ON effects (task_id, ordinal, id) WHERE state = 'pending' AND ordinal > 0;

CREATE TABLE timeline (
  id      INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  at_us   INTEGER NOT NULL,
  kind    TEXT NOT NULL,
  detail  TEXT NOT NULL
) STRICT;
CREATE INDEX timeline_by_task ON timeline (task_id, id);
