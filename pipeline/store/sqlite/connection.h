// Connection: one SQLite handle with its prepared statements, and transactions that roll back by
// default.
//
// Statements are the named queries; each is prepared once and kept. A connection belongs to one
// thread at a time.
#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "config/base/result.h"
#include "pipeline/store/sql/connection.h"

namespace swage::sqlite {

class Connection final : public sql::Connection {
 public:
  /// kObserver: of another process; it leaves everything as it found it.
  enum class Mode { kWriter, kReader, kCheckpointer, kObserver };

  static Result<std::unique_ptr<Connection>> Open(const std::filesystem::path& file, Mode mode);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs a script without parameters (migrations).
  Result<void> Script(std::string_view sql);

  bool InTransaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  /// Whether a commit waits until it is on disk (at first it does). Outside of transactions only.
  Result<void> SyncCommits(bool on);
  sqlite3* handle() { return handle_; }

 private:
  Connection() = default;
  Result<int> Execute(std::string_view query, std::span<const sql::Param> params,
                      sql::RowSink sink) override;
  Result<void> Configure(Mode mode);
  Result<sqlite3_stmt*> Prepared(std::string_view query);
  Error LastError() const;

  sqlite3* handle_ = nullptr;
  bool syncs_commits_ = true;
  std::unordered_map<std::string_view, sqlite3_stmt*> statements_;  // keys live in queries.cc
};

/// BEGIN IMMEDIATE ... ROLLBACK, unless Commit succeeded.
class Transaction {
 public:
  static Result<Transaction> Begin(Connection& db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction& operator=(Transaction&& other) noexcept {
    std::swap(db_, other.db_);
    return *this;
  }
  ~Transaction();
  Result<void> Commit();

 private:
  explicit Transaction(Connection* db) : db_(db) {}
  Connection* db_;
};

/// SAVEPOINT ... ROLLBACK TO, unless Release succeeded. They do not nest.
class Savepoint {
 public:
  static Result<Savepoint> Begin(Connection& db);
  Savepoint(Savepoint&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Savepoint& operator=(Savepoint&& other) noexcept {
    std::swap(db_, other.db_);
    return *this;
  }
  ~Savepoint();
  Result<void> Release();

 private:
  explicit Savepoint(Connection* db) : db_(db) {}
  Connection* db_;
};

}  // namespace swage::sqlite
