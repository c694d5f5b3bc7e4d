-- Who may command one task without the role. The account decides; the login is what people called it.

CREATE TABLE delegates (
  task_id       INTEGER NOT NULL REFERENCES tasks (id),
  account       TEXT NOT NULL CHECK (account <> ''),
  login         TEXT NOT NULL,
  let_by        TEXT NOT NULL,
  created_at_us INTEGER NOT NULL,
  PRIMARY KEY (task_id, account)
) STRICT, WITHOUT ROWID;
