// Migrations: the numbered .sql files, applied in order, forward only.
//
// Each runs in one transaction together with its row in schema_migrations, so a kill between two of
// them (X30) leaves a schema that the next start continues from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "pipeline/store/sqlite/connection.h"

namespace swage::sqlite {

struct Migration {
  int version = 0;
  std::string name;  ///< "001_init.sql"
  std::string_view sql;
};

/// Those of this program, oldest first.
const std::vector<Migration>& Migrations();

/// Errors: kInvalid when the file is of a newer program, not Swage's, or was migrated by an edited
/// script.
Result<void> Migrate(Connection& db, const std::vector<Migration>& migrations, const Clock& clock);

}  // namespace swage::sqlite
