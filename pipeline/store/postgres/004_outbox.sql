-- Whoever carries out an effect or decides a delivery holds it until a time; `hold` counts the takes, so that
-- the result of an earlier taker can be told from the last one's.
ALTER TABLE effects ADD COLUMN held_by TEXT NOT NULL DEFAULT '';
ALTER TABLE effects ADD COLUMN held_until_at_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE effects ADD COLUMN hold BIGINT NOT NULL DEFAULT 0;
CREATE INDEX effects_held ON effects (held_by) WHERE state = 'pending' AND held_by <> '';

ALTER TABLE deliveries ADD COLUMN held_by TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN held_until_at_us BIGINT NOT NULL DEFAULT 0;
CREATE INDEX deliveries_held ON deliveries (held_by) WHERE state = 'pending' AND held_by <> '';

-- How fast, and whether at all, a forge may be spoken to (pipeline/pace.h). A scope is a forge's name, or a
-- repository of it.
CREATE TABLE paces (
  scope              TEXT PRIMARY KEY,
  breaker            TEXT NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open')),
  cause              TEXT NOT NULL DEFAULT 'none' CHECK (cause IN ('none', 'limit', 'down', 'refused')),
  on_write           BIGINT NOT NULL DEFAULT 0 CHECK (on_write IN (0, 1)),
  failures           BIGINT NOT NULL DEFAULT 0 CHECK (failures >= 0),
  pauses             BIGINT NOT NULL DEFAULT 0 CHECK (pauses >= 0),
  paused_until_at_us BIGINT NOT NULL DEFAULT 0,
  next_write_at_us   BIGINT NOT NULL DEFAULT 0,
  since_at_us        BIGINT NOT NULL DEFAULT 0,
  reason             TEXT NOT NULL DEFAULT ''
);
CREATE INDEX paces_paused ON paces (paused_until_at_us) WHERE breaker = 'open';
CREATE INDEX repos_by_scope ON repos ((forge || '/' || forge_repo_id));
