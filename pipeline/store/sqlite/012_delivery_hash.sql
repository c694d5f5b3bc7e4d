-- Keys of deliveries land anywhere in their index, so each one writes a page of its own and, once the index has
-- outgrown the cache, reads one first. Numbers in their place make it a third as large. The hash only finds the row
-- (delivery_hash, in connection.cc); it is the key that tells a repetition.
CREATE TABLE hashed_deliveries (
  id               INTEGER PRIMARY KEY,
  forge            TEXT NOT NULL,
  key              TEXT NOT NULL,
  hash             INTEGER NOT NULL,
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
  held_by          TEXT NOT NULL DEFAULT '',
  held_until_at_us INTEGER NOT NULL DEFAULT 0,
  parked           INTEGER NOT NULL DEFAULT 0 CHECK (parked IN (0, 1)),
  CHECK ((state = 'pending') = (decided_at_us IS NULL))
) STRICT;
INSERT INTO hashed_deliveries
SELECT id, forge, key, delivery_hash(forge, key), event, state, attempts, received_at_us, not_before_at_us,
       decided_at_us, outcome, error, body_segment, body_position, body_size, held_by, held_until_at_us, parked
FROM deliveries ORDER BY id;
DROP TABLE deliveries;
ALTER TABLE hashed_deliveries RENAME TO deliveries;
CREATE INDEX deliveries_by_hash ON deliveries (hash);
CREATE INDEX deliveries_due ON deliveries (not_before_at_us, id) WHERE state = 'pending';
CREATE INDEX deliveries_held ON deliveries (held_by) WHERE state = 'pending' AND held_by <> '';
CREATE INDEX deliveries_parked ON deliveries (id) WHERE parked = 1;
