// Connection: one session with a PostgreSQL server.
//
// Statements are the named queries; each is prepared once per session and kept, or, behind
// pgbouncer, sent whole each time. Values travel as bytes: text that the server would refuse (not
// UTF-8, or a NUL) arrives with U+FFFD in its place. What is posted is gathered and
// travels with the next query that wants an answer, which saves its round trip. A connection
// belongs to one thread at a time.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "config/base/clock.h"
#include "config/base/result.h"
#include "pipeline/store/postgres/address.h"
#include "pipeline/store/postgres/libpq.h"
#include "pipeline/store/sql/connection.h"
#include "pipeline/store/sql/queries.h"

namespace swage::postgres {

/// A statement takes at most this long: a webhook's sender waits 10 s for its answer.
inline constexpr std::chrono::seconds kStatementLimit{8};
inline constexpr std::chrono::seconds kLockLimit{5};
/// An open transaction whose client is silent is ended by the server: a process that stands still
/// in the middle of one keeps its locks for less time than anybody waits for them.
inline constexpr std::chrono::seconds kSilenceLimit{4};
static_assert(kSilenceLimit < kLockLimit);
inline constexpr std::chrono::seconds kConnectLimit{4};

/// What the last failure means for the transaction that it happened in.
enum class Trouble {
  kNone,
  /// It lost a race (deadlock, serialization, a UNIQUE constraint): run again, it may succeed.
  kRace,
  /// The session is of no use any more: gone, or its prepared statements do not fit the schema.
  kLost,
};

class Connection final : public sql::Connection {
 public:
  /// Errors: kUnavailable, kUnauthenticated, kInvalid; they name the address and say what to do.
  static Result<std::unique_ptr<Connection>> Open(const Address& address);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs a script without parameters, which may hold several statements.
  Result<void> Script(const std::string& sql);

  /// Makes the queries known to the session, so that posting them costs no round trip. Not for
  /// poolers.
  Result<void> Ready(std::span<const std::string_view> queries);

  /// As Post; `read` gets each row of its answer when that has come, with the answer of the next
  /// query that wants one. Unless that fails: then what was read counts for nothing.
  template <class... Args>
  Result<void> PostFor(std::function<void(sql::Row&)> read, std::string_view query,
                       const Args&... args) {
    if (pgbouncer_) {
      SWAGE_RETURN_IF_ERROR(All(
          query, [&](sql::Row& row) { return read(row), 0; }, args...));
      return Ok();
    }
    SWAGE_RETURN_IF_ERROR(Post(query, args...));
    readers_.push_back({posted_ - 1, std::move(read)});
    return Ok();
  }

  /// Of the first failure since the last call of Forget.
  Trouble trouble() const { return trouble_; }
  void Forget() { trouble_ = Trouble::kNone; }
  /// It broke, or did not answer as a server does.
  bool lost() const { return broken_ || PQstatus(handle_.get()) != CONNECTION_OK; }
  bool pgbouncer() const { return pgbouncer_; }
  PGconn* handle() { return handle_.get(); }

  /// Names what the server has been without a crash since before this call; kept for the session's
  /// life. A transaction's number is only good for asking within one incarnation: after a crash
  /// the server may give those again whose records it lost.
  Result<std::string> Incarnation();

 private:
  friend class Transaction;
  Connection(Handle handle, bool pgbouncer) : handle_(std::move(handle)), pgbouncer_(pgbouncer) {}
  Result<int> Execute(std::string_view query, std::span<const sql::Param> params,
                      sql::RowSink sink) override;
  Result<void> Send(std::string_view query, std::span<const sql::Param> params) override;
  Result<Answer> Query(const sql::NamedQuery& query, std::span<const sql::Param> params);
  /// Adds to what has been posted.
  Result<void> Enqueue(const sql::NamedQuery& query, std::span<const sql::Param> params);
  Result<void> EnqueueText(const char* sql);
  Result<void> EnterPipeline();
  /// Sends what was posted; the answer to the last of it.
  Result<Answer> Flush();
  Result<Answer> NextAnswer();
  /// So many posted queries wait at most; their answers must fit the server's buffers.
  static constexpr int kMaxPosted = 64;

  /// The answer to the last statement of a script.
  Result<Answer> Ask(const std::string& sql);
  Result<void> Prepare(std::string_view name, const std::string& sql);
  /// What the server's answer says; notes the trouble.
  Error Failure(const PGresult* result);

  const Handle handle_;
  const bool pgbouncer_;
  Trouble trouble_ = Trouble::kNone;
  bool broken_ = false;
  std::string incarnation_;  // empty until asked for
  struct Reader {
    int of;  ///< which of the posted
    std::function<void(sql::Row&)> read;
  };
  int posted_ = 0;
  std::vector<Reader> readers_;  // in the order of what they read
  WallTime now_{};
  std::string transaction_;
  std::unordered_set<std::string_view> prepared_;  // names live in queries.cc
};

/// BEGIN ... ROLLBACK, unless Commit succeeded.
class Transaction {
 public:
  static Result<Transaction> Begin(Connection& db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  /// The database's clock at the beginning. After a failure any time: nothing will be committed.
  WallTime Now();
  /// By which its outcome can be asked for; empty when nothing can have been committed.
  const std::string& id() const { return id_; }
  /// An error with a lost connection leaves the outcome unknown.
  Result<void> Commit();

 private:
  explicit Transaction(Connection* db) : db_(db) {}
  Connection* db_;
  std::string id_;
};

}  // namespace swage::postgres
