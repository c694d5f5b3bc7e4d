#include "pipeline/store/sql/migrations.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/crypto.h"
#include "config/base/text.h"

namespace swage::sql {
namespace {

constexpr std::size_t kNumberDigits = 3;

struct Applied {
  int version = 0;
  std::string name;
  std::string checksum;
};

Result<void> RefuseForeignDatabase(Connection& db) {
  SWAGE_ASSIGN_OR_RETURN(const std::int64_t ours, db.Number("HasTable", "schema_migrations"));
  if (ours > 0) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const std::int64_t tables, db.Number("CountTables"));
  if (tables == 0) return Ok();
  return MakeError(ErrorCode::kInvalid,
                   "it holds the tables of another program: give Swage a database of its own");
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

// Those that were applied, when all of them are known.
Result<std::vector<Applied>> ReadApplied(Connection& db, const std::vector<Migration>& migrations) {
  const auto read = [](Row& row) { return Applied{row.Small(), row.Text(), row.Text()}; };
  SWAGE_ASSIGN_OR_RETURN(std::vector<Applied> applied, db.All("ListMigrations", read));
  SWAGE_RETURN_IF_ERROR(CheckApplied(applied, migrations));
  return applied;
}

}  // namespace

std::vector<Migration> LoadMigrations(std::span<const char* const> names,
                                      std::string_view (*embedded)(std::string_view)) {
  std::vector<Migration> list;
  for (const std::string_view name : names) {
    const std::string_view sql = embedded(name);
    const auto version = ParseInt(name.substr(0, kNumberDigits));
    SWAGE_CHECK(!sql.empty() && version.has_value());
    SWAGE_CHECK(list.empty() || list.back().version < *version);
    list.push_back({static_cast<int>(*version), std::string(name), sql});
  }
  return list;
}

Result<const Migration*> NextMigration(Connection& db, const std::vector<Migration>& migrations) {
  SWAGE_RETURN_IF_ERROR(RefuseForeignDatabase(db));
  SWAGE_RETURN_IF_ERROR(db.Run("CreateMigrations"));
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Applied> applied, ReadApplied(db, migrations));
  for (const Migration& migration : migrations) {
    if (applied.empty() || migration.version > applied.back().version) return &migration;
  }
  return nullptr;
}

Result<void> CheckSchema(Connection& db, const std::vector<Migration>& migrations) {
  SWAGE_RETURN_IF_ERROR(RefuseForeignDatabase(db));
  SWAGE_ASSIGN_OR_RETURN(const std::int64_t begun, db.Number("HasTable", "schema_migrations"));
  int version = 0;
  if (begun > 0) {
    SWAGE_ASSIGN_OR_RETURN(const std::vector<Applied> applied, ReadApplied(db, migrations));
    if (!applied.empty()) version = applied.back().version;
  }
  const int needed = migrations.back().version;
  if (version == needed) return Ok();
  return MakeError(ErrorCode::kInvalid,
                   fmt::format("the schema has version {} and this program needs {}: a server of "
                               "this version brings it there when it starts",
                               version, needed));
}

Result<void> NoteMigration(Connection& db, const Migration& migration, WallTime now) {
  SWAGE_RETURN_IF_ERROR(
      db.Run("AddMigration", migration.version, migration.name, Sha256Hex(migration.sql), now));
  return Ok();
}

}  // namespace swage::sql
