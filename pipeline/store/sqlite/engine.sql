-- What only this engine has: its transactions, the inbox with its body log, its schema table.

-- name: Begin
BEGIN IMMEDIATE;
-- name: Commit
COMMIT;
-- name: Rollback
ROLLBACK;
-- name: Savepoint
SAVEPOINT job;
-- name: Release
RELEASE job;
-- name: RollbackTo
ROLLBACK TO job;

-- inbox ---------------------------------------------------------------------------------------------------

-- name: AddDelivery
-- There is one writer: nobody adds the same key between the look and the row.
INSERT INTO deliveries (forge, key, hash, event, received_at_us, not_before_at_us, body_segment,
                        body_position, body_size)
SELECT ?1, ?2, new.hash, ?3, ?4, ?5, ?6, ?7, ?8 FROM (SELECT delivery_hash(?1, ?2) AS hash) AS new
WHERE NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.hash = new.hash AND d.forge = ?1 AND d.key = ?2);

-- name: TakeableDeliveries
SELECT id, forge, key, event, received_at_us, attempts, body_segment, body_position, body_size
FROM deliveries
WHERE state = 'pending' AND not_before_at_us <= ?1 AND held_until_at_us <= ?1
  AND NOT EXISTS (SELECT 1 FROM paces p
                  WHERE p.scope = forge AND p.breaker = 'open' AND p.paused_until_at_us > ?1)
ORDER BY not_before_at_us, id
LIMIT ?2;

-- name: BodySegment
SELECT body_segment FROM deliveries WHERE id = ?1;

-- name: SetApplied
INSERT INTO body_segments (segment, applied) VALUES (?1, ?2)
ON CONFLICT (segment) DO UPDATE SET applied = excluded.applied;

-- name: ListApplied
SELECT segment, applied FROM body_segments;

-- name: ForgetSegment
DELETE FROM body_segments WHERE segment = ?1;

-- name: BodySalt
SELECT salt FROM body_salt;

-- name: CountPendingBySegment
SELECT body_segment, count(*) FROM deliveries INDEXED BY deliveries_due
WHERE state = 'pending'
GROUP BY body_segment;

-- migrations ----------------------------------------------------------------------------------------------

-- name: HasTable
SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1;

-- name: CountTables
SELECT count(*) FROM sqlite_schema WHERE type = 'table';

-- name: CreateMigrations
CREATE TABLE IF NOT EXISTS schema_migrations (
  version       INTEGER PRIMARY KEY,
  name          TEXT NOT NULL,
  checksum      TEXT NOT NULL,
  applied_at_us INTEGER NOT NULL
) STRICT;

-- name: ListMigrations
SELECT version, name, checksum FROM schema_migrations ORDER BY version;

-- name: AddMigration
INSERT INTO schema_migrations (version, name, checksum, applied_at_us) VALUES (?1, ?2, ?3, ?4);
