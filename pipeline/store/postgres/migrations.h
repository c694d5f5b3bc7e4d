// The migrations of this engine. Nodes that start at once wait for one another.
#pragma once

#include <string>
#include <vector>

#include "pipeline/store/postgres/connection.h"
#include "pipeline/store/sql/migrations.h"

namespace swage::postgres {

/// Those of this program, oldest first.
const std::vector<sql::Migration>& Migrations();

/// Brings the schema up to the last of them, each in a transaction of its own. Errors: kInvalid
/// when it is of a newer program, not Swage's, or was migrated by an edited script.
Result<void> Migrate(Connection& db, const std::vector<sql::Migration>& migrations);

/// "its schema has version 5", "it has no schema yet": for people. Changes nothing. Errors as
/// Migrate.
Result<std::string> DescribeSchema(Connection& db, const std::vector<sql::Migration>& migrations);

}  // namespace swage::postgres
