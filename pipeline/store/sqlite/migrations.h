// The migrations of the embedded engine.
#pragma once

#include <vector>

#include "config/base/clock.h"
#include "pipeline/store/sql/migrations.h"
#include "pipeline/store/sqlite/connection.h"

namespace swage::sqlite {

/// Those of this program, oldest first.
const std::vector<sql::Migration>& Migrations();

/// Brings the file up to the last of them, each in a transaction of its own. Errors: kInvalid when
/// the file is of a newer program, not Swage's, or was migrated by an edited script.
Result<void> Migrate(Connection& db, const std::vector<sql::Migration>& migrations,
                     const Clock& clock);

}  // namespace swage::sqlite
