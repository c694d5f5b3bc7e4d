#include "pipeline/store/sqlite/migrations.h"

#include "pipeline/store/sqlite/embedded.h"

namespace swage::sqlite {
namespace {

// In the order of their numbers, which may have gaps.
constexpr const char* kFiles[] = {"001_init.sql",      "002_nodes.sql",     "003_audit.sql",
                                  "004_outbox.sql",    "005_polls.sql",     "006_parked.sql",
                                  "007_delegates.sql", "011_levels.sql",    "012_delivery_hash.sql",
                                  "013_signs.sql",     "016_asked.sql",     "017_commands.sql",
                                  "018_threads.sql",   "019_allowances.sql"};

// False when there is nothing left to do.
Result<bool> ApplyNext(Connection& db, const std::vector<sql::Migration>& migrations,
                       const Clock& clock) {
  SWAGE_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
  SWAGE_ASSIGN_OR_RETURN(const sql::Migration* next, sql::NextMigration(db, migrations));
  if (next == nullptr) return false;
  const auto applied = db.Script(next->sql);
  if (!applied.ok()) return applied.error().With(next->name);
  SWAGE_RETURN_IF_ERROR(sql::NoteMigration(db, *next, clock.Now()));
  SWAGE_RETURN_IF_ERROR(transaction.Commit());
  return true;
}

}  // namespace

const std::vector<sql::Migration>& Migrations() {
  static const auto all = sql::LoadMigrations(kFiles, pipeline_store_sqlite::EmbeddedFile);
  return all;
}

Result<void> Migrate(Connection& db, const std::vector<sql::Migration>& migrations,
                     const Clock& clock) {
  while (true) {
    SWAGE_ASSIGN_OR_RETURN(const bool more, ApplyNext(db, migrations, clock));
    if (!more) return Ok();
  }
}

}  // namespace swage::sqlite
