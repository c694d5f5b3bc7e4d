-- Who may command one task without the role. The account decides; the login is what people called it.

CREATE TABLE delegates (
  task_id       BIGINT NOT NULL REFERENCES tasks (id),
  account       TEXT NOT NULL CHECK (account <> ''),
  login         TEXT NOT NULL,
  let_by        TEXT NOT NULL,
  created_at_us BIGINT NOT NULL,
  PRIMARY KEY (task_id, account)
);
