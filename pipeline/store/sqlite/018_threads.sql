-- The comments on a diff that a remark came from, as JSON (asked_threads.h), and the first run that
-- was told of it. Remarks from before this go without: nobody waits for an answer to them.
ALTER TABLE remarks ADD COLUMN threads TEXT NOT NULL DEFAULT '';
ALTER TABLE remarks ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
