#include "pipeline/store/postgres/connection.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "config/base/text.h"
#include "pipeline/store/postgres/arrays.h"
#include "pipeline/store/postgres/queries.h"

namespace swage::postgres {
namespace {

constexpr int kBinary = 1;

// Big-endian, as every binary value of the protocol.
std::int64_t ReadNumber(const char* bytes, int size) {
  SWAGE_CHECK(size == 1 || size == 2 || size == 4 || size == 8);
  std::uint64_t value = (static_cast<unsigned char>(bytes[0]) & 0x80) != 0 && size > 1 ? ~0ull : 0;
  for (int i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return static_cast<std::int64_t>(value);
}

class ResultRow final : public sql::Row {
 public:
  explicit ResultRow(const PGresult* result) : result_(result) {}
  void MoveTo(int row) {
    row_ = row;
    Rewind();
  }

 private:
  std::int64_t IntAt(int column) override {
    if (IsNullAt(column)) return 0;
    return ReadNumber(PQgetvalue(result_, row_, column), PQgetlength(result_, row_, column));
  }
  std::string_view BytesAt(int column) override {
    return {PQgetvalue(result_, row_, column),
            static_cast<std::size_t>(PQgetlength(result_, row_, column))};
  }
  bool IsNullAt(int column) override { return PQgetisnull(result_, row_, column) == 1; }

  const PGresult* result_;
  int row_ = 0;
};

void ReadAll(const PGresult* result, const std::function<void(sql::Row&)>& read) {
  ResultRow row(result);
  for (int i = 0; i < PQntuples(result); ++i) {
    row.MoveTo(i);
    read(row);
  }
}

bool IsPlainAscii(std::string_view text) {
  for (const char c : text) {
    if (c <= 0) return false;
  }
  return true;
}

// Numbers and text travel as text, whose type the server infers; blobs as they are.
class Arguments {
 public:
  explicit Arguments(std::span<const sql::Param> params) {
    texts_.reserve(params.size());
    for (const sql::Param& param : params) Add(param);
  }
  int count() const { return static_cast<int>(values_.size()); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  void Add(const sql::Param& param) {
    switch (param.kind) {
      case sql::Param::Kind::kNull:
        return Push(nullptr, 0, 0);
      case sql::Param::Kind::kInt:
        return AddText(std::to_string(param.number));
      case sql::Param::Kind::kText:
        return AddText(IsPlainAscii(param.bytes) ? std::string(param.bytes)
                                                 : CleanText(param.bytes));
      case sql::Param::Kind::kBlob:
        return Push(param.bytes.data() == nullptr ? "" : param.bytes.data(), param.bytes.size(),
                    kBinary);
    }
  }
  void AddText(std::string text) {
    const std::string& kept = texts_.emplace_back(std::move(text));
    Push(kept.c_str(), kept.size(), 0);
  }
  void Push(const char* value, std::size_t length, int format) {
    values_.push_back(value);
    lengths_.push_back(static_cast<int>(length));
    formats_.push_back(format);
  }

  std::vector<std::string> texts_;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

bool Succeeded(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

struct Meaning {
  std::string_view state;  ///< the beginning of an SQLSTATE
  ErrorCode code;
  Trouble trouble;
};

// PostgreSQL's manual, appendix A. The first that fits.
constexpr Meaning kMeanings[] = {
    {"40", ErrorCode::kUnavailable, Trouble::kRace},     // serialization, deadlock
    {"23505", ErrorCode::kConflict, Trouble::kRace},     // unique: the other one was first
    {"23", ErrorCode::kConflict, Trouble::kNone},        // other constraints
    {"0A000", ErrorCode::kUnavailable, Trouble::kLost},  // a cached plan and a newer schema
    {"26000", ErrorCode::kUnavailable, Trouble::kLost},  // the pooler gave another session
    {"25006", ErrorCode::kUnavailable, Trouble::kLost},  // read only: a standby
    {"08", ErrorCode::kUnavailable, Trouble::kLost},     // connection
    {"57014", ErrorCode::kUnavailable, Trouble::kNone},  // a time limit
    {"57", ErrorCode::kUnavailable, Trouble::kLost},     // the server stops, or starts
    {"25P03", ErrorCode::kUnavailable, Trouble::kLost},  // silent for too long
    {"55P03", ErrorCode::kUnavailable, Trouble::kNone},  // a lock was not to be had in time
    {"53", ErrorCode::kUnavailable, Trouble::kNone},     // disk, memory, too many connections
    {"58", ErrorCode::kUnavailable, Trouble::kNone},     // the server's own disk
    {"28", ErrorCode::kUnauthenticated, Trouble::kNone},
    {"42501", ErrorCode::kDenied, Trouble::kNone},
    {"54", ErrorCode::kTooLarge, Trouble::kNone},
    {"22", ErrorCode::kInvalid, Trouble::kNone},
};

/// What a person can do about a connection that does not come about.
std::string_view Remedy(std::string_view reason) {
  const auto says = [&](std::string_view words) { return reason.find(words) != reason.npos; };
  if (says("password") || says("pg_hba.conf") || says("authentication") || says("Peer")) {
    return "check the user, the password and the server's pg_hba.conf";
  }
  if (says("unsupported startup parameter")) {
    return "a pooler stands before the database: set store_pgbouncer: true";
  }
  if (says("does not exist")) return "create it, or correct the name in the settings";
  if (says("translate host name")) return "correct the host's name in the settings";
  if (says("too many") || says("remaining connection slots")) {
    return "raise the server's max_connections, or put a pooler before it";
  }
  if (says("starting up") || says("shutting down")) return "wait until the server is up";
  return "start the server, and check that this machine can reach it";
}

Error CannotConnect(const Address& address, const Handle& handle) {
  const std::string reason = WhyNotConnected(handle);
  return MakeError(ErrorCode::kUnavailable, fmt::format("cannot connect to the {}: {}; {}",
                                                        address.label, reason, Remedy(reason)));
}

std::int64_t Millis(std::chrono::milliseconds limit) {
  return limit.count();
}

std::vector<std::pair<std::string_view, std::string>> SessionSettings() {
  return {{"statement_timeout", std::to_string(Millis(kStatementLimit))},
          {"lock_timeout", std::to_string(Millis(kLockLimit))},
          {"idle_in_transaction_session_timeout", std::to_string(Millis(kSilenceLimit))},
          // Plans are made once, often while a table is empty: they must not be made for that. Nor
          // are they made anew for the first few calls.
          {"enable_seqscan", "off"},
          {"plan_cache_mode", "force_generic_plan"},
          {"jit", "off"}};
}

// Given when the session begins, which a pooler refuses.
std::string SessionOptions() {
  std::string options;
  for (const auto& [name, value] : SessionSettings()) {
    options += fmt::format("-c {}={} ", name, value);
  }
  // Of what is sent without a BEGIN.
  return options + "-c default_transaction_isolation=read\\ committed ";
}

std::string LocalSettings() {
  std::string script;
  for (const auto& [name, value] : SessionSettings()) {
    script += fmt::format("SET LOCAL {} = {};", name, value);
  }
  return script;
}

std::vector<std::pair<std::string, std::string>> ConnectOptions(const Address& address) {
  // The later one counts; what the URL says goes before what is only a default.
  std::vector<std::pair<std::string, std::string>> options = {
      {"connect_timeout", std::to_string(kConnectLimit.count())},
      {"keepalives_idle", "5"},
      {"keepalives_interval", "3"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "10000"},
      {"application_name", "swage"}};
  if (!address.pgbouncer) options.emplace_back("options", SessionOptions());
  for (const auto& option : address.options) {
    const bool settings = option.first == "options" && !address.pgbouncer;
    options.emplace_back(option.first,
                         settings ? SessionOptions() + " " + option.second : option.second);
  }
  options.emplace_back("client_encoding", "UTF8");
  return options;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::Open(const Address& address) {
  Handle handle = Dial(ConnectOptions(address));
  if (!IsConnected(handle)) return CannotConnect(address, handle);
  return std::unique_ptr<Connection>(new Connection(std::move(handle), address.pgbouncer));
}

Connection::~Connection() = default;

Error Connection::Failure(const PGresult* result) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* text =
      result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  Meaning meaning{"", ErrorCode::kInternal, Trouble::kNone};
  for (const Meaning& known : kMeanings) {
    if (state == nullptr || !std::string_view(state).starts_with(known.state)) continue;
    meaning = known;
    break;
  }
  // An error without a state is libpq's own: it lost the server, even if it does not say so yet.
  const bool skipped = result != nullptr && PQresultStatus(result) == PGRES_PIPELINE_ABORTED;
  if (state == nullptr && !skipped) broken_ = true;
  if (lost()) meaning = {"", ErrorCode::kUnavailable, Trouble::kLost};
  if (trouble_ == Trouble::kNone) trouble_ = meaning.trouble;
  std::string reason = FirstLine(text != nullptr ? text : PQerrorMessage(handle_.get()));
  if (meaning.trouble == Trouble::kLost) reason = "the database is gone: " + reason;
  return MakeError(meaning.code, std::move(reason));
}

Result<Answer> Connection::Ask(const std::string& sql) {
  SWAGE_RETURN_IF_ERROR(Flush());
  Answer answer(PQexec(handle_.get(), sql.c_str()));
  if (Succeeded(answer.get())) return answer;
  return Failure(answer.get());
}

Result<void> Connection::Script(const std::string& sql) {
  SWAGE_RETURN_IF_ERROR(Ask(sql));
  return Ok();
}

Result<void> Connection::Prepare(std::string_view name, const std::string& sql) {
  if (prepared_.contains(name)) return Ok();
  SWAGE_RETURN_IF_ERROR(Flush());
  const Answer answer(PQprepare(handle_.get(), name.data(), sql.c_str(), 0, nullptr));
  if (!Succeeded(answer.get())) return Failure(answer.get()).With(fmt::format("prepare {}", name));
  prepared_.insert(name);
  return Ok();
}

Result<std::string> Connection::Incarnation() {
  if (!incarnation_.empty()) return incarnation_;
  const auto read = [](sql::Row& row) { return row.Text(); };
  SWAGE_ASSIGN_OR_RETURN(auto found, One("Incarnation", read));
  if (!found.has_value()) {
    SWAGE_RETURN_IF_ERROR(Run("BeginIncarnation"));  // leaves another session's alone
    SWAGE_ASSIGN_OR_RETURN(found, One("Incarnation", read));
  }
  incarnation_ = found.value_or("");
  return incarnation_;
}

Result<void> Connection::Ready(std::span<const std::string_view> queries) {
  for (const std::string_view query : queries) {
    const sql::NamedQuery& known = Queries().Get(query);
    SWAGE_RETURN_IF_ERROR(Prepare(known.name, known.sql));
  }
  return Ok();
}

Result<int> Connection::Execute(std::string_view query, std::span<const sql::Param> params,
                                sql::RowSink sink) {
  const sql::NamedQuery& known = Queries().Get(query);
  const Result<Answer> answer = Query(known, params);
  if (!answer.ok()) return answer.error().With(known.name);
  const PGresult* rows = answer.value().get();
  ResultRow row(rows);
  for (int i = 0; i < PQntuples(rows); ++i) {
    row.MoveTo(i);
    if (!sink(row)) break;
  }
  return static_cast<int>(ParseInt(PQcmdTuples(const_cast<PGresult*>(rows))).value_or(0));
}

Result<Answer> Connection::Query(const sql::NamedQuery& query, std::span<const sql::Param> params) {
  if (posted_ > 0) {
    SWAGE_RETURN_IF_ERROR(Enqueue(query, params));
    return Flush();
  }
  const Arguments args(params);
  Answer answer;
  if (pgbouncer_) {
    answer.reset(PQexecParams(handle_.get(), query.sql.c_str(), args.count(), nullptr,
                              args.values(), args.lengths(), args.formats(), kBinary));
  } else {
    SWAGE_RETURN_IF_ERROR(Prepare(query.name, query.sql));
    answer.reset(PQexecPrepared(handle_.get(), query.name.c_str(), args.count(), args.values(),
                                args.lengths(), args.formats(), kBinary));
  }
  if (Succeeded(answer.get())) return answer;
  return Failure(answer.get());
}

// Poolers and pipelines do not go well together.
Result<void> Connection::Send(std::string_view query, std::span<const sql::Param> params) {
  const sql::NamedQuery& known = Queries().Get(query);
  if (pgbouncer_) return sql::Connection::Send(query, params);
  const Result<void> sent = Enqueue(known, params);
  if (!sent.ok()) return sent.error().With(known.name);
  return Ok();
}

Result<void> Connection::EnterPipeline() {
  if (posted_ >= kMaxPosted) SWAGE_RETURN_IF_ERROR(Flush());
  if (posted_ == 0 && PQenterPipelineMode(handle_.get()) == 0) return Failure(nullptr);
  return Ok();
}

Result<void> Connection::Enqueue(const sql::NamedQuery& query, std::span<const sql::Param> params) {
  SWAGE_RETURN_IF_ERROR(Prepare(query.name, query.sql));
  SWAGE_RETURN_IF_ERROR(EnterPipeline());
  const Arguments args(params);
  if (PQsendQueryPrepared(handle_.get(), query.name.c_str(), args.count(), args.values(),
                          args.lengths(), args.formats(), kBinary) == 0) {
    return Failure(nullptr);
  }
  ++posted_;
  return Ok();
}

Result<void> Connection::EnqueueText(const char* sql) {
  SWAGE_RETURN_IF_ERROR(EnterPipeline());
  if (PQsendQueryParams(handle_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, kBinary) == 0) {
    return Failure(nullptr);
  }
  ++posted_;
  return Ok();
}

// After each answer comes a null; a lost session may have none.
Result<Answer> Connection::NextAnswer() {
  Answer answer(PQgetResult(handle_.get()));
  if (answer != nullptr) {
    while (!lost() && Answer(PQgetResult(handle_.get())) != nullptr) {
    }
  }
  if (Succeeded(answer.get())) return answer;
  return Failure(answer.get());
}

// All answers are read, also behind a failure: the server skips what follows one.
Result<Answer> Connection::Flush() {
  if (posted_ == 0) return Answer();
  const int count = std::exchange(posted_, 0);
  const std::vector<Reader> readers = std::exchange(readers_, {});
  if (PQpipelineSync(handle_.get()) == 0) return Failure(nullptr);
  Result<Answer> last = Answer();
  auto reader = readers.begin();
  for (int i = 0; i < count; ++i) {
    Result<Answer> answer = NextAnswer();
    if (!last.ok()) continue;
    last = std::move(answer);
    if (reader == readers.end() || reader->of != i || !last.ok()) continue;
    ReadAll(last.value().get(), reader->read);
    ++reader;
  }
  // Without a BEGIN this is where all of it is committed.
  const Answer sync(PQgetResult(handle_.get()));
  if (PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC && last.ok()) last = Failure(sync.get());
  if (PQexitPipelineMode(handle_.get()) == 0 && last.ok()) return Failure(nullptr);
  return last;
}

Result<Transaction> Transaction::Begin(Connection& db) {
  db.now_ = {};
  db.transaction_.clear();
  Transaction transaction(&db);
  if (!db.pgbouncer()) {
    SWAGE_RETURN_IF_ERROR(db.Prepare("Begun", Queries().Get("Begun").sql));
    SWAGE_RETURN_IF_ERROR(db.EnqueueText("BEGIN ISOLATION LEVEL READ COMMITTED"));
    SWAGE_RETURN_IF_ERROR(db.PostFor(
        [&db](sql::Row& row) {
          db.now_ = row.Time();
          db.transaction_ = row.Text();
        },
        "Begun"));
    return transaction;
  }
  // A pooler hands out sessions per transaction, so their settings are the transaction's.
  static const std::string begin =
      "BEGIN ISOLATION LEVEL READ COMMITTED;" + LocalSettings() + Queries().Get("Begun").sql;
  SWAGE_ASSIGN_OR_RETURN(const auto begun, db.Ask(begin));
  const auto now = ParseInt(PQgetvalue(begun.get(), 0, 0));
  SWAGE_CHECK(now.has_value());
  db.now_ = FromMicros(*now);
  db.transaction_ = PQgetvalue(begun.get(), 0, 1);
  return transaction;
}

Transaction::~Transaction() {
  if (db_ == nullptr || db_->lost()) return;
  (void)db_->Flush();
  (void)db_->Script("ROLLBACK");
}

// A failure here is met again: the server refuses what follows it.
WallTime Transaction::Now() {
  if (db_->transaction_.empty()) (void)db_->Flush();
  return db_->now_;
}

// Its number must be known before the COMMIT is on its way. A transaction in which something failed
// answers COMMIT with ROLLBACK.
Result<void> Transaction::Commit() {
  if (db_->transaction_.empty()) SWAGE_RETURN_IF_ERROR(db_->Flush());
  id_ = db_->transaction_;
  Result<Answer> committed = Answer();
  if (db_->posted_ > 0) {
    SWAGE_RETURN_IF_ERROR(db_->EnqueueText("COMMIT"));
    committed = db_->Flush();
  } else {
    committed = db_->Ask("COMMIT");
  }
  if (!committed.ok()) return committed.error();
  db_ = nullptr;
  if (std::string_view(PQcmdStatus(committed.value().get())) == "COMMIT") return Ok();
  return MakeError(ErrorCode::kInternal, "the transaction had failed before its commit");
}

}  // namespace swage::postgres
