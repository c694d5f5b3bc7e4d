-- How far things were read at the forges: cursors and ETags, by what they are about. Alarms of the polls too.
CREATE TABLE polls (
  key           TEXT PRIMARY KEY,
  cursor        TEXT NOT NULL,
  etag          TEXT NOT NULL,
  updated_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Tasks whose newest run was asked for by the label, and not by a command: taking it away ends them.
CREATE TABLE label_tasks (
  task_id INTEGER PRIMARY KEY REFERENCES tasks (id)
) STRICT;
