-- Dead letters, so that somebody looks at them: deliveries that could never be decided, effects that failed for good.

ALTER TABLE deliveries ADD COLUMN parked BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX deliveries_parked ON deliveries (id) WHERE parked;
CREATE INDEX effects_failed ON effects (updated_at_us, id) WHERE state = 'failed';
