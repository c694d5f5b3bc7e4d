-- What only this engine has: its inbox, its transactions' outcome, its schema table.

-- inbox ---------------------------------------------------------------------------------------------------

-- name: AddDeliveries
-- Arrays, so that a batch is one statement whatever its size. Its answer names those that are new.
INSERT INTO deliveries (forge, key, event, body, received_at_us, not_before_at_us)
SELECT forge, key, event, body, $5, $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS news (forge, key, event, body)
ON CONFLICT (forge, key) DO NOTHING
RETURNING forge, key;

-- name: PendingDeliveries
SELECT id, forge, key, event, received_at_us, attempts, body
FROM deliveries
WHERE state = 'pending' AND not_before_at_us <= $1
ORDER BY not_before_at_us, id
LIMIT $2;

-- transactions --------------------------------------------------------------------------------------------

-- name: Now
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: Begun
-- The transaction's one instant, and the number by which its outcome can be asked for later.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, pg_current_xact_id()::text;

-- name: Outcome
SELECT coalesce(pg_xact_status($1::text::xid8), 'forgotten');

-- migrations ----------------------------------------------------------------------------------------------

-- name: LockSchema
SELECT pg_advisory_xact_lock(hashtext('swage schema'), hashtext(current_schema()));

-- name: HasTable
SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = $1;

-- name: CountTables
SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema();

-- name: CreateMigrations
CREATE TABLE IF NOT EXISTS schema_migrations (
  version       BIGINT PRIMARY KEY,
  name          TEXT NOT NULL,
  checksum      TEXT NOT NULL,
  applied_at_us BIGINT NOT NULL
);

-- name: ListMigrations
SELECT version, name, checksum FROM schema_migrations ORDER BY version;

-- name: AddMigration
INSERT INTO schema_migrations (version, name, checksum, applied_at_us) VALUES ($1, $2, $3, $4);
