-- The audit log. An entry comes without a number, in the transaction that it tells of; a sealer gives it `seq` and
-- `hash` a moment later (pipeline/audit.h says how). Nothing here is ever changed or deleted after that.

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY,
  at_us   INTEGER NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  task    TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail  TEXT NOT NULL,
  seq     INTEGER CHECK (seq > 0),
  hash    TEXT,
  CHECK ((seq IS NULL) = (hash IS NULL))
) STRICT;
CREATE INDEX audit_unsealed ON audit (id) WHERE seq IS NULL;
CREATE UNIQUE INDEX audit_sealed ON audit (seq) WHERE seq IS NOT NULL;

-- The newest number and its hash; its row is what two sealers take turns for.
CREATE TABLE audit_head (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  seq  INTEGER NOT NULL CHECK (seq >= 0),
  hash TEXT NOT NULL
) STRICT;
INSERT INTO audit_head VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TRIGGER audit_is_sealed_once BEFORE UPDATE ON audit
WHEN OLD.seq IS NOT NULL OR NEW.seq IS NULL
  OR (NEW.id, NEW.at_us, NEW.actor, NEW.action, NEW.task, NEW.subject, NEW.detail)
     <> (OLD.id, OLD.at_us, OLD.actor, OLD.action, OLD.task, OLD.subject, OLD.detail)
BEGIN
  SELECT RAISE(ABORT, 'records of the audit log do not change');
END;

CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN
  SELECT RAISE(ABORT, 'records of the audit log stay');
END;

CREATE TRIGGER audit_head_grows BEFORE UPDATE ON audit_head
WHEN NEW.seq <= OLD.seq
BEGIN
  SELECT RAISE(ABORT, 'the audit log does not get shorter');
END;

CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
BEGIN
  SELECT RAISE(ABORT, 'the head of the audit log stays');
END;
