// Connection: one SQLite handle with its prepared statements, and transactions that roll back by
// default.
//
// Statements are the named queries of queries.sql; each is prepared once and kept. Bound text is
// not copied: arguments live until the call returns. A connection belongs to one thread at a time.
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "config/base/clock.h"
#include "config/base/ids.h"
#include "config/base/result.h"

namespace swage::sqlite {

/// Bytes that are bound as a BLOB.
struct Blob {
  std::string_view bytes;
};

/// Reads the columns of the current row from left to right.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}

  std::int64_t Int() { return sqlite3_column_int64(statement_, column_++); }
  int Small() { return static_cast<int>(Int()); }
  bool Bool() { return Int() != 0; }
  std::string Text();
  WallTime Time() { return FromMicros(Int()); }
  std::optional<WallTime> MaybeTime();

 private:
  sqlite3_stmt* statement_;
  int column_ = 0;
};

class Connection {
 public:
  enum class Mode { kWriter, kReader, kCheckpointer };

  static Result<std::unique_ptr<Connection>> Open(const std::filesystem::path& file, Mode mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs a script without parameters (migrations).
  Result<void> Script(std::string_view sql);

  /// Runs the query to its end; the number of rows it changed.
  template <class... Args>
  Result<int> Run(std::string_view query, const Args&... args);
  /// The rows, each turned into a value by `read(Row&)`.
  template <class Read, class... Args>
  auto All(std::string_view query, Read read, const Args&... args)
      -> Result<std::vector<std::invoke_result_t<Read, Row&>>>;
  /// The first row, if there is one.
  template <class Read, class... Args>
  auto One(std::string_view query, Read read, const Args&... args)
      -> Result<std::optional<std::invoke_result_t<Read, Row&>>>;
  /// Whether the query has a row.
  template <class... Args>
  Result<bool> Any(std::string_view query, const Args&... args);

  std::int64_t LastId() const { return sqlite3_last_insert_rowid(handle_); }
  bool InTransaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  /// Whether a commit waits until it is on disk (at first it does). Outside of transactions only.
  Result<void> SyncCommits(bool on);
  sqlite3* handle() { return handle_; }

 private:
  /// A prepared statement in use; reset when it goes out of scope.
  class Use {
   public:
    explicit Use(sqlite3_stmt* statement) : statement_(statement) {}
    ~Use() {
      sqlite3_reset(statement_);
      sqlite3_clear_bindings(statement_);
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    sqlite3_stmt* get() const { return statement_; }

   private:
    sqlite3_stmt* statement_;
  };

  Connection() = default;
  Result<void> Configure(Mode mode);
  Result<sqlite3_stmt*> Prepared(std::string_view query);
  /// True while there is a row.
  Result<bool> Step(sqlite3_stmt* statement);
  Error LastError() const;

  static void BindOne(sqlite3_stmt* s, int at, std::string_view text) {
    sqlite3_bind_text64(s, at, text.data() == nullptr ? "" : text.data(), text.size(),
                        SQLITE_STATIC, SQLITE_UTF8);
  }
  static void BindOne(sqlite3_stmt* s, int at, const std::string& text) {
    BindOne(s, at, std::string_view(text));
  }
  static void BindOne(sqlite3_stmt* s, int at, const char* text) {
    BindOne(s, at, std::string_view(text));
  }
  static void BindOne(sqlite3_stmt* s, int at, const Blob& blob) {
    sqlite3_bind_blob64(s, at, blob.bytes.data() == nullptr ? "" : blob.bytes.data(),
                        blob.bytes.size(), SQLITE_STATIC);
  }
  template <std::integral T>
  static void BindOne(sqlite3_stmt* s, int at, T value) {
    sqlite3_bind_int64(s, at, static_cast<std::int64_t>(value));
  }
  static void BindOne(sqlite3_stmt* s, int at, WallTime time) {
    sqlite3_bind_int64(s, at, ToMicros(time));
  }
  template <class Tag, class Rep>
  static void BindOne(sqlite3_stmt* s, int at, const StrongId<Tag, Rep>& id) {
    BindOne(s, at, id.value);
  }
  template <class T>
  static void BindOne(sqlite3_stmt* s, int at, const std::optional<T>& value) {
    if (value.has_value()) {
      BindOne(s, at, *value);
    } else {
      sqlite3_bind_null(s, at);
    }
  }
  template <class... Args>
  static void Bind(sqlite3_stmt* s, const Args&... args) {
    SWAGE_CHECK(sqlite3_bind_parameter_count(s) == static_cast<int>(sizeof...(Args)));
    int at = 0;
    (BindOne(s, ++at, args), ...);
  }

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

template <class... Args>
Result<int> Connection::Run(std::string_view query, const Args&... args) {
  SWAGE_ASSIGN_OR_RETURN(sqlite3_stmt * statement, Prepared(query));
  const Use use(statement);
  Bind(statement, args...);
  while (true) {
    SWAGE_ASSIGN_OR_RETURN(const bool row, Step(statement));
    if (!row) return sqlite3_changes(handle_);
  }
}

template <class Read, class... Args>
auto Connection::All(std::string_view query, Read read, const Args&... args)
    -> Result<std::vector<std::invoke_result_t<Read, Row&>>> {
  SWAGE_ASSIGN_OR_RETURN(sqlite3_stmt * statement, Prepared(query));
  const Use use(statement);
  Bind(statement, args...);
  std::vector<std::invoke_result_t<Read, Row&>> rows;
  while (true) {
    SWAGE_ASSIGN_OR_RETURN(const bool more, Step(statement));
    if (!more) return rows;
    Row row(statement);
    rows.push_back(read(row));
  }
}

template <class Read, class... Args>
auto Connection::One(std::string_view query, Read read, const Args&... args)
    -> Result<std::optional<std::invoke_result_t<Read, Row&>>> {
  using Value = std::optional<std::invoke_result_t<Read, Row&>>;
  SWAGE_ASSIGN_OR_RETURN(sqlite3_stmt * statement, Prepared(query));
  const Use use(statement);
  Bind(statement, args...);
  SWAGE_ASSIGN_OR_RETURN(const bool found, Step(statement));
  if (!found) return Value();
  Row row(statement);
  return Value(read(row));
}

template <class... Args>
Result<bool> Connection::Any(std::string_view query, const Args&... args) {
  SWAGE_ASSIGN_OR_RETURN(sqlite3_stmt * statement, Prepared(query));
  const Use use(statement);
  Bind(statement, args...);
  return Step(statement);
}

}  // namespace swage::sqlite
