#include "pipeline/store/sqlite/migrations.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "pipeline/store/sqlite/embedded.h"

namespace swage::sqlite {
namespace {

// In the order of their numbers, which may have gaps.
constexpr const char* kFiles[] = {"001_init.sql"};

struct Applied {
  int version = 0;
  std::string name;
  std::string checksum;
};

std::int64_t ReadInt(sql::Row& row) {
  return row.Int();
}

Result<void> RefuseForeignFile(Connection& db) {
  SWAGE_ASSIGN_OR_RETURN(const auto ours, db.One("HasTable", ReadInt, "schema_migrations"));
  if (ours.value_or(0) > 0) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const auto tables, db.One("CountTables", ReadInt));
  if (tables.value_or(0) == 0) return Ok();
  return MakeError(ErrorCode::kInvalid, "the file is a database of another program");
}

Result<void> CheckApplied(const std::vector<Applied>& applied,
                          const std::vector<Migration>& migrations) {
  const int newest = migrations.back().version;
  for (const Applied& row : applied) {
    if (row.version > newest) {
      return MakeError(
          ErrorCode::kInvalid,
          fmt::format("the schema has version {} and this program knows versions up to "
                      "{}: run the newer program, or restore a backup from before it",
                      row.version, newest));
    }
    const auto ours = std::find_if(migrations.begin(), migrations.end(),
                                   [&](const Migration& m) { return m.version == row.version; });
    if (ours == migrations.end() || Sha256Hex(ours->sql) != row.checksum) {
      return MakeError(ErrorCode::kInvalid,
                       fmt::format("migration {} was applied in another wording than this "
                                   "program's: run the program that applied it",
                                   row.name));
    }
  }
  return Ok();
}

Result<void> Apply(Connection& db, const Migration& migration, const Clock& clock) {
  SWAGE_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
  SWAGE_RETURN_IF_ERROR(db.Script(migration.sql));
  SWAGE_RETURN_IF_ERROR(db.Run("AddMigration", migration.version, migration.name,
                               Sha256Hex(migration.sql), clock.Now()));
  return transaction.Commit();
}

}  // namespace

const std::vector<Migration>& Migrations() {
  static const std::vector<Migration> all = [] {
    std::vector<Migration> list;
    for (const char* name : kFiles) {
      const std::string_view sql = pipeline_store_sqlite::EmbeddedFile(name);
      SWAGE_CHECK(!sql.empty());
      const auto version = ParseInt(std::string_view(name).substr(0, 3));
      SWAGE_CHECK(version.has_value() && (list.empty() || list.back().version < *version));
      list.push_back({static_cast<int>(*version), name, sql});
    }
    return list;
  }();
  return all;
}

Result<void> Migrate(Connection& db, const std::vector<Migration>& migrations, const Clock& clock) {
  SWAGE_RETURN_IF_ERROR(RefuseForeignFile(db));
  SWAGE_RETURN_IF_ERROR(db.Run("CreateMigrations"));
  const auto read = [](sql::Row& row) { return Applied{row.Small(), row.Text(), row.Text()}; };
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Applied> applied, db.All("ListMigrations", read));
  SWAGE_RETURN_IF_ERROR(CheckApplied(applied, migrations));
  for (const Migration& migration : migrations) {
    if (!applied.empty() && migration.version <= applied.back().version) continue;
    const auto done = Apply(db, migration, clock);
    if (!done.ok()) return done.error().With(migration.name);
  }
  return Ok();
}

}  // namespace swage::sqlite
