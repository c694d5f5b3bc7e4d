#include "pipeline/store/postgres/migrations.h"

#include <fmt/format.h>

#include "pipeline/store/postgres/embedded.h"

namespace swage::postgres {
namespace {

// In the order of their numbers.
constexpr const char* kFiles[] = {"001_init.sql",       "002_nodes.sql",       "003_audit.sql",
                                  "004_outbox.sql",     "005_polls.sql",       "006_parked.sql",
                                  "007_delegates.sql",  "008_incarnation.sql", "009_one_trip.sql",
                                  "010_remarked.sql",   "011_levels.sql",      "013_signs.sql",
                                  "014_light_ends.sql", "016_asked.sql",       "017_commands.sql",
                                  "018_threads.sql",    "019_allowances.sql"};

// On a large table an index takes its time, and so does waiting for the node that makes it.
constexpr const char* kNoLimits = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";

// False when there is nothing left to do.
Result<bool> ApplyNext(Connection& db, const std::vector<sql::Migration>& migrations) {
  SWAGE_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
  SWAGE_RETURN_IF_ERROR(db.Script(kNoLimits));
  SWAGE_RETURN_IF_ERROR(db.Run("LockSchema"));
  SWAGE_ASSIGN_OR_RETURN(const sql::Migration* next, sql::NextMigration(db, migrations));
  if (next == nullptr) return false;
  const auto applied = db.Script(std::string(next->sql));
  if (!applied.ok()) return applied.error().With(next->name);
  SWAGE_RETURN_IF_ERROR(sql::NoteMigration(db, *next, transaction.Now()));
  SWAGE_RETURN_IF_ERROR(transaction.Commit());
  return true;
}

}  // namespace

const std::vector<sql::Migration>& Migrations() {
  static const auto all = sql::LoadMigrations(kFiles, pipeline_store_postgres::EmbeddedFile);
  return all;
}

Result<void> Migrate(Connection& db, const std::vector<sql::Migration>& migrations) {
  while (true) {
    SWAGE_ASSIGN_OR_RETURN(const bool more, ApplyNext(db, migrations));
    if (!more) return Ok();
  }
}

// As a migration would begin, and then rolled back.
Result<std::string> DescribeSchema(Connection& db, const std::vector<sql::Migration>& migrations) {
  SWAGE_ASSIGN_OR_RETURN(const Transaction transaction, Transaction::Begin(db));
  SWAGE_ASSIGN_OR_RETURN(const sql::Migration* next, sql::NextMigration(db, migrations));
  if (next == nullptr) {
    return fmt::format("its schema is up to date (version {})", migrations.back().version);
  }
  if (next == &migrations.front()) return std::string("it is empty; the server will set it up");
  return fmt::format("the server will bring its schema up to version {}",
                     migrations.back().version);
}

}  // namespace swage::postgres
