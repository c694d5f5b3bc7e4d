// Migrations: the numbered .sql files of an engine, applied in order, forward only.
//
// The table schema_migrations keeps the name and the checksum of each, written in its own
// transaction, so a kill between two of them (X30) leaves a schema that the next start continues
// from. Numbers may have gaps.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "pipeline/store/sql/connection.h"

namespace swage::sql {

struct Migration {
  int version = 0;
  std::string name;  ///< "001_init.sql"
  std::string_view sql;
};

/// The files in their order; the number is in the name. `embedded` gives their text.
std::vector<Migration> LoadMigrations(std::span<const char* const> names,
                                      std::string_view (*embedded)(std::string_view));

/// In a transaction that no other process can run beside: the first migration that the database
/// lacks; nullptr = none. Creates the table. Errors: kInvalid when the schema is of a newer
/// program, not Swage's, or was migrated by an edited script.
Result<const Migration*> NextMigration(Connection& db, const std::vector<Migration>& migrations);

/// Changes nothing. Errors: kInvalid when the schema has another version than this program's.
Result<void> CheckSchema(Connection& db, const std::vector<Migration>& migrations);

/// In the transaction that ran its script.
Result<void> NoteMigration(Connection& db, const Migration& migration, WallTime now);

}  // namespace swage::sql
