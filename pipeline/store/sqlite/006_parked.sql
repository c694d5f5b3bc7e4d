-- Dead letters, so that somebody looks at them: deliveries that could never be decided, effects that failed for good.

ALTER TABLE deliveries ADD COLUMN parked INTEGER NOT NULL DEFAULT 0 CHECK (parked IN (0, 1));
CREATE INDEX deliveries_parked ON deliveries (id) WHERE parked = 1;
CREATE INDEX effects_failed ON effects (updated_at_us, id) WHERE state = 'failed';
