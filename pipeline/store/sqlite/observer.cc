// SqliteObserver: a look into the file from beside the server, or without one. WAL lets it read
// while the server writes; the server's lock on the file is no matter of readers.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "pipeline/store/sql/sql_store.h"
#include "pipeline/store/sqlite/migrations.h"
#include "pipeline/store/sqlite/read_pool.h"

namespace swage {
namespace sqlite {
namespace {

Error Refused() {
  return MakeError(ErrorCode::kDenied, "the database was opened to be looked at only");
}

class SqliteObserver final : public sql::SqlStore {
 public:
  SqliteObserver(const std::filesystem::path& file, const Clock& clock)
      : clock_(clock), readers_(file, Connection::Mode::kObserver) {}

  Result<void> CheckSchema() {
    return readers_.Run([](Connection& db) { return sql::CheckSchema(db, Migrations()); });
  }

  Result<std::vector<bool>> AddDeliveries(const std::vector<NewDelivery>&) override {
    return Refused();
  }
  Result<std::vector<Delivery>> TakeDeliveries(const TakeRequest&) override { return Refused(); }
  bool SharedByNodes() const override { return false; }
  Result<std::unique_ptr<Hold>> TryHold(std::string_view) override { return Refused(); }

 private:
  Result<void> RunWrite(const Writes&) override { return Refused(); }
  Result<void> RunRead(const Reads& work) override {
    return readers_.Run([&](Connection& db) { return work(db, clock_.Now()); });
  }

  const Clock& clock_;
  ReadPool readers_;
};

}  // namespace
}  // namespace sqlite

Result<std::unique_ptr<Store>> ObserveSqliteStore(const std::filesystem::path& file,
                                                  const Clock& clock) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    return MakeError(
        ErrorCode::kNotFound,
        fmt::format("there is no {}: no server has run with these settings yet", file.string()));
  }
  auto store = std::make_unique<sqlite::SqliteObserver>(file, clock);
  if (auto checked = store->CheckSchema(); !checked.ok()) {
    return checked.error().With(file.string());
  }
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace swage
