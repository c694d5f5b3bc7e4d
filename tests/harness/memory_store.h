// MemoryStore: the real operations on a SQLite database in memory, without a thread, a file or a
// sync: for simulations, which need many stores a second.
//
// Only how bodies of deliveries are kept, and what a transaction is, differs from the embedded
// engine. Everything between Begin and Forget is undone by Forget. For one thread.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipeline/store/sql/engine_clock.h"
#include "pipeline/store/sql/sql_store.h"
#include "pipeline/store/sqlite/connection.h"

namespace swage::test {

class MemoryStore final : public sql::SqlStore {
 public:
  explicit MemoryStore(const Clock& clock);
  ~MemoryStore() override;

  /// `clock` counts from now on.
  void Begin(const Clock& clock);
  void Forget();

  Result<std::vector<bool>> AddDeliveries(const std::vector<NewDelivery>& deliveries) override;
  Result<std::vector<Delivery>> TakeDeliveries(const TakeRequest& request) override;
  bool SharedByNodes() const override { return true; }
  Result<std::unique_ptr<Hold>> TryHold(std::string_view name) override {
    return holds_.TryHold(name);
  }

  // --- for checks. `sql` is a literal: prepared once.
  std::int64_t Number(const char* sql, std::initializer_list<std::string_view> args = {});
  std::vector<std::vector<std::string>> Rows(const char* sql,
                                             std::initializer_list<std::string_view> args = {});

 private:
  Result<void> RunWrite(const Writes& work) override;
  Result<void> RunRead(const Reads& work) override;
  sqlite3_stmt* Prepared(const char* sql, std::initializer_list<std::string_view> args);

  std::unique_ptr<sqlite::Connection> db_;
  LocalHolds holds_;
  const Clock* clock_;
  std::unique_ptr<sql::EngineClock> engine_clock_;
  std::unordered_map<const char*, sqlite3_stmt*> prepared_;
  std::map<std::int64_t, std::string> bodies_;  ///< by delivery
};

}  // namespace swage::test
