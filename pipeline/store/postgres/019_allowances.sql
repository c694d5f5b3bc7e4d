-- What has been spent of what a forge allows (pipeline/pace.h, Reserve): when it is given back in full.
ALTER TABLE paces ADD COLUMN points_until_at_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE paces ADD COLUMN content_until_at_us BIGINT NOT NULL DEFAULT 0;
