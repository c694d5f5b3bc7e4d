-- Whether a remark waits that no worker has seen, in the row that the end of a run locks and looks at anyway: an EXISTS
-- over the remarks would not see one that was added while it waited for the lock.
ALTER TABLE tasks ADD COLUMN remarked BOOLEAN NOT NULL DEFAULT false;
UPDATE tasks SET remarked = true WHERE id IN (SELECT task_id FROM remarks WHERE NOT seen);
