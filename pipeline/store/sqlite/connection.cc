#include "pipeline/store/sqlite/connection.h"

#include <fmt/format.h>

#include <utility>

#include "config/base/crypto.h"
#include "pipeline/store/sqlite/queries.h"

namespace swage::sqlite {
namespace {

// How long one statement waits for a foreign process that locks the file (X4).
constexpr int kBusyTimeoutMs = 2'000;

// Of a new file. Rows are small and the hashes of deliveries land anywhere in their index, so small
// pages write least.
constexpr std::string_view kNewFile = "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;";
// FULL syncs the WAL at each commit; checkpoints belong to the Checkpointer.
constexpr std::string_view kWriter =
    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;";
constexpr std::string_view kReader = "PRAGMA query_only = ON; PRAGMA cache_size = -2048;";
constexpr std::string_view kCheckpointer = "PRAGMA synchronous = FULL; PRAGMA cache_size = -64;";

std::string_view TextOf(sqlite3_value* value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

// delivery_hash(forge, key). Rows keep it, so it is the same for ever. Nobody can choose keys that
// share one, which would make their lookups slow.
void DeliveryHash(sqlite3_context* context, int, sqlite3_value** arguments) {
  std::string name(TextOf(arguments[0]));
  name.push_back('\n');  // no forge's name has one
  name.append(TextOf(arguments[1]));
  const std::string digest = Sha256(name);
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < sizeof hash; ++i) {
    hash = hash << 8 | static_cast<unsigned char>(digest[i]);
  }
  sqlite3_result_int64(context, static_cast<std::int64_t>(hash));
}

ErrorCode CodeOf(int rc) {
  switch (rc & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PROTOCOL:
      return ErrorCode::kUnavailable;
    case SQLITE_CONSTRAINT:
      return ErrorCode::kConflict;
    case SQLITE_TOOBIG:
      return ErrorCode::kTooLarge;
    default:
      return ErrorCode::kInternal;
  }
}

class StatementRow final : public sql::Row {
 public:
  explicit StatementRow(sqlite3_stmt* statement) : statement_(statement) {}
  void Next() { Rewind(); }

 private:
  std::int64_t IntAt(int column) override { return sqlite3_column_int64(statement_, column); }
  std::string_view BytesAt(int column) override {
    const void* bytes = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    if (bytes == nullptr) return {};
    return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
  }
  bool IsNullAt(int column) override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }

  sqlite3_stmt* statement_;
};

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

 private:
  sqlite3_stmt* statement_;
};

void Bind(sqlite3_stmt* statement, std::span<const sql::Param> params) {
  SWAGE_CHECK(sqlite3_bind_parameter_count(statement) == static_cast<int>(params.size()));
  int at = 0;
  for (const sql::Param& p : params) {
    // A null pointer would be bound as NULL.
    const char* bytes = p.bytes.data() == nullptr ? "" : p.bytes.data();
    ++at;
    switch (p.kind) {
      case sql::Param::Kind::kNull:
        sqlite3_bind_null(statement, at);
        break;
      case sql::Param::Kind::kInt:
        sqlite3_bind_int64(statement, at, p.number);
        break;
      case sql::Param::Kind::kText:
        sqlite3_bind_text64(statement, at, bytes, p.bytes.size(), SQLITE_STATIC, SQLITE_UTF8);
        break;
      case sql::Param::Kind::kBlob:
        sqlite3_bind_blob64(statement, at, bytes, p.bytes.size(), SQLITE_STATIC);
        break;
    }
  }
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::Open(const std::filesystem::path& file, Mode mode) {
  std::unique_ptr<Connection> connection(new Connection());
  const int access = mode == Mode::kObserver ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  const int flags = access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == Mode::kWriter ? SQLITE_OPEN_CREATE : 0);
  const int rc = sqlite3_open_v2(file.c_str(), &connection->handle_, flags, nullptr);
  if (rc != SQLITE_OK) {
    return MakeError(CodeOf(rc), fmt::format("open {}: {}", file.string(), sqlite3_errstr(rc)));
  }
  const auto configured = connection->Configure(mode);
  if (!configured.ok()) return configured.error().With(file.string());
  return connection;
}

Result<void> Connection::Configure(Mode mode) {
  sqlite3_busy_timeout(handle_, kBusyTimeoutMs);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_create_function_v2(handle_, "delivery_hash", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                             nullptr, DeliveryHash, nullptr, nullptr, nullptr);
  switch (mode) {
    case Mode::kWriter:
      SWAGE_RETURN_IF_ERROR(Script(kNewFile));
      return Script(kWriter);
    case Mode::kObserver:
      sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
      return Script(kReader);
    case Mode::kReader:
      return Script(kReader);
    case Mode::kCheckpointer:
      return Script(kCheckpointer);
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

Connection::~Connection() {
  for (const auto& [name, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

Error Connection::LastError() const {
  return MakeError(CodeOf(sqlite3_extended_errcode(handle_)), sqlite3_errmsg(handle_));
}

Result<void> Connection::Script(std::string_view sql) {
  if (sqlite3_exec(handle_, std::string(sql).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return LastError();
  }
  return Ok();
}

// NORMAL syncs the WAL before its pages are copied, so a power cut takes whole commits off its end;
// a later commit with FULL makes those before it durable too.
Result<void> Connection::SyncCommits(bool on) {
  if (on == syncs_commits_) return Ok();
  SWAGE_RETURN_IF_ERROR(Script(on ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"));
  syncs_commits_ = on;
  return Ok();
}

Result<sqlite3_stmt*> Connection::Prepared(std::string_view query) {
  const auto it = statements_.find(query);
  if (it != statements_.end()) return it->second;
  const auto& [name, sql] = Queries().Get(query);
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return LastError().With(fmt::format("prepare {}", name));
  }
  statements_.emplace(name, statement);
  return statement;
}

Result<int> Connection::Execute(std::string_view query, std::span<const sql::Param> params,
                                sql::RowSink sink) {
  SWAGE_ASSIGN_OR_RETURN(sqlite3_stmt * statement, Prepared(query));
  const Use use(statement);
  Bind(statement, params);
  StatementRow row(statement);
  while (true) {
    switch (sqlite3_step(statement) & 0xFF) {
      case SQLITE_ROW:
        row.Next();
        if (!sink(row)) return 0;
        break;
      case SQLITE_DONE:
        return sqlite3_changes(handle_);
      default:
        return LastError();
    }
  }
}

Result<Transaction> Transaction::Begin(Connection& db) {
  SWAGE_RETURN_IF_ERROR(db.Run("Begin"));
  return Transaction(&db);
}

Transaction::~Transaction() {
  // A full disk may have rolled it back already.
  if (db_ != nullptr && db_->InTransaction()) (void)db_->Run("Rollback");
}

Result<void> Transaction::Commit() {
  SWAGE_RETURN_IF_ERROR(db_->Run("Commit"));
  db_ = nullptr;
  return Ok();
}

Result<Savepoint> Savepoint::Begin(Connection& db) {
  SWAGE_RETURN_IF_ERROR(db.Run("Savepoint"));
  return Savepoint(&db);
}

Savepoint::~Savepoint() {
  if (db_ == nullptr || !db_->InTransaction()) return;
  (void)db_->Run("RollbackTo");
  (void)db_->Run("Release");
}

Result<void> Savepoint::Release() {
  SWAGE_RETURN_IF_ERROR(db_->Run("Release"));
  db_ = nullptr;
  return Ok();
}

}  // namespace swage::sqlite
