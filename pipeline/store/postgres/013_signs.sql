-- What a task's runs showed, for the level of those that follow.
CREATE TABLE task_signs (
  task_id BIGINT NOT NULL REFERENCES tasks (id),
  sign    TEXT NOT NULL CHECK (sign <> ''),
  PRIMARY KEY (task_id, sign)
);
