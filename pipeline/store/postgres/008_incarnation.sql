-- One row, made by whoever asks first. The server empties an unlogged table when it recovers from a
-- crash, and does not copy it to a standby: another id means that transactions may have been lost
-- and their numbers given to others.
CREATE UNLOGGED TABLE incarnation (
  singleton BOOLEAN PRIMARY KEY DEFAULT true CHECK (singleton),
  id        TEXT NOT NULL
);
