#include "pipeline/store/postgres/task_database.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "pipeline/store/postgres/libpq.h"

namespace swage::postgres {
namespace {

constexpr const char* kConnectSeconds = "5";
constexpr std::string_view kStatementMillis = "30000";
constexpr std::size_t kPasswordBytes = 24;
constexpr std::size_t kMaxName = 63;  // PostgreSQL cuts longer ones in silence
constexpr std::string_view kUsualSocketDir = "/var/run/postgresql";
constexpr std::string_view kWrongPassword = "not-the-password";

struct Free {
  void operator()(char* text) const { PQfreemem(text); }
};

std::string OptionOf(const Address& address, std::string_view keyword) {
  for (const auto& [name, value] : address.options) {
    if (name == keyword) return value;
  }
  return "";
}

Handle Connect(const Address& address) {
  std::vector<std::pair<std::string, std::string>> options = {{"connect_timeout", kConnectSeconds},
                                                              {"application_name", "swage-tasks"}};
  options.insert(options.end(), address.options.begin(), address.options.end());
  return Dial(options);
}

// One connection of the administrator's, for a few statements.
class Session {
 public:
  static Result<Session> Open(const Address& address) {
    Handle handle = Connect(address);
    if (!IsConnected(handle)) {
      return MakeError(ErrorCode::kUnavailable,
                       fmt::format("cannot connect to the {}: {}; tasks get their databases there "
                                   "(databases.admin)",
                                   address.label, WhyNotConnected(handle)));
    }
    Session session(std::move(handle), address.label);
    SWAGE_RETURN_IF_ERROR(session.Run(fmt::format("SET statement_timeout = {}", kStatementMillis)));
    return session;
  }

  Result<void> Run(const std::string& sql) {
    const auto rows = Ask(sql);
    if (!rows.ok()) return rows.error();
    return Ok();
  }

  /// The first column of the answer.
  Result<std::vector<std::string>> Ask(const std::string& sql) {
    const Answer result(PQexec(handle_.get(), sql.c_str()));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return Failure(result.get());
    std::vector<std::string> rows;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      rows.emplace_back(PQgetvalue(result.get(), row, 0));
    }
    return rows;
  }

  std::string Literal(std::string_view text) const {
    const std::unique_ptr<char, Free> quoted(
        PQescapeLiteral(handle_.get(), text.data(), text.size()));
    return quoted == nullptr ? "''" : quoted.get();
  }
  std::string Name(std::string_view text) const {
    const std::unique_ptr<char, Free> quoted(
        PQescapeIdentifier(handle_.get(), text.data(), text.size()));
    return quoted == nullptr ? "\"\"" : quoted.get();
  }
  /// What the server keeps of a password, so that its log never holds the password itself.
  Result<std::string> Verifier(const std::string& password, const std::string& role) const {
    const std::unique_ptr<char, Free> made(
        PQencryptPasswordConn(handle_.get(), password.c_str(), role.c_str(), nullptr));
    if (made != nullptr) return std::string(made.get());
    return MakeError(ErrorCode::kInternal, FirstLine(PQerrorMessage(handle_.get())));
  }

 private:
  Session(Handle handle, std::string label)
      : handle_(std::move(handle)), label_(std::move(label)) {}

  Error Failure(const PGresult* result) const {
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const std::string_view code_text = state == nullptr ? "" : state;
    ErrorCode code = ErrorCode::kInternal;
    std::string fix;
    if (code_text == "42501") {
      code = ErrorCode::kDenied;
      fix = "; give the role of databases.admin CREATEDB and CREATEROLE";
    } else if (code_text.empty() || code_text.starts_with("08") || code_text.starts_with("53") ||
               code_text.starts_with("55") || code_text.starts_with("57")) {
      code = ErrorCode::kUnavailable;
    } else if (code_text == "3D000") {
      code = ErrorCode::kInvalid;
      fix = "; create it, or correct databases.source";
    }
    return MakeError(code, fmt::format("{}: {}{}", label_,
                                       text == nullptr ? FirstLine(PQerrorMessage(handle_.get()))
                                                       : std::string(text),
                                       fix));
  }

  Handle handle_;
  std::string label_;
};

bool IsPlainName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

// The role has to be ours before we may make it an owner, or end its sessions.
std::vector<std::string> RoleStatements(const Session& session, const TaskDatabaseSpec& spec,
                                        const std::string& verifier) {
  const std::string role = session.Name(spec.name);
  return {fmt::format("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION "
                      "CONNECTION LIMIT {} PASSWORD {}",
                      role, spec.connections, session.Literal(verifier)),
          fmt::format("COMMENT ON ROLE {} IS {}", role, session.Literal(spec.comment)),
          fmt::format("GRANT {} TO CURRENT_USER", role)};
}

std::vector<std::string> SchemaStatements(const Session& session, const TaskDatabaseSpec& spec,
                                          const std::string& database) {
  const std::string name = session.Name(spec.name);
  return {fmt::format("CREATE SCHEMA {} AUTHORIZATION {}", name, name),
          fmt::format("ALTER ROLE {} IN DATABASE {} SET search_path = {}", name,
                      session.Name(database), name)};
}

std::vector<std::string> DatabaseStatements(const Session& session, const TaskDatabaseSpec& spec) {
  const std::string name = session.Name(spec.name);
  const std::string from =
      spec.source.empty() ? "" : fmt::format(" TEMPLATE {}", session.Name(spec.source));
  return {fmt::format("CREATE DATABASE {} OWNER {}{}", name, name, from),
          fmt::format("REVOKE ALL ON DATABASE {} FROM PUBLIC", name),
          fmt::format("COMMENT ON DATABASE {} IS {}", name, session.Literal(spec.comment))};
}

}  // namespace

Result<TaskServer> TaskServer::FromUrl(std::string_view admin_url) {
  SWAGE_ASSIGN_OR_RETURN(Address admin, ParseAddress(admin_url, ""));
  return TaskServer(std::move(admin));
}

Result<TaskDatabase> TaskServer::Make(const TaskDatabaseSpec& spec) {
  if (!IsPlainName(spec.name)) {
    return MakeError(ErrorCode::kInvalid, fmt::format("{} is no name for a database", spec.name));
  }
  const std::string password = RandomHex(kPasswordBytes);
  TaskDatabase made = Describe(spec, password);
  Result<void> done = MakeParts(spec, password);
  if (done.ok()) done = MustAskPasswords(made);
  if (done.ok()) return made;
  (void)Drop(spec.name).ok();  // the first failure tells more
  return done.error();
}

Result<void> TaskServer::MakeParts(const TaskDatabaseSpec& spec, const std::string& password) {
  SWAGE_ASSIGN_OR_RETURN(Session session, Session::Open(admin_));
  SWAGE_ASSIGN_OR_RETURN(const std::string verifier, session.Verifier(password, spec.name));
  std::vector<std::string> statements = RoleStatements(session, spec, verifier);
  if (spec.schema) {
    SWAGE_ASSIGN_OR_RETURN(const auto database, session.Ask("SELECT current_database()"));
    std::ranges::move(SchemaStatements(session, spec, database.at(0)),
                      std::back_inserter(statements));
  } else {
    std::ranges::move(DatabaseStatements(session, spec), std::back_inserter(statements));
  }
  for (const std::string& statement : statements) SWAGE_RETURN_IF_ERROR(session.Run(statement));
  return Ok();
}

// Where anybody gets in by name alone, every task is every other one. Asked once per process.
Result<void> TaskServer::MustAskPasswords(const TaskDatabase& made) {
  if (asks_passwords_) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const Address address, ParseAddress(made.url, kWrongPassword));
  if (IsConnected(Connect(address))) {
    return MakeError(ErrorCode::kDenied,
                     fmt::format("the {} lets roles in without their password, so no task could be "
                                 "kept out of another's data; use scram-sha-256 in the server's "
                                 "pg_hba.conf",
                                 admin_.label));
  }
  asks_passwords_ = true;
  return Ok();
}

std::string TaskDatabase::UrlBySocketIn(std::string_view folder) const {
  return fmt::format("postgresql://{}:{}@/{}?host={}", role, password, PercentEncode(database),
                     PercentEncode(folder));
}

TaskDatabase TaskServer::Describe(const TaskDatabaseSpec& spec, const std::string& password) const {
  const auto option = [&](std::string_view keyword, std::string_view fallback) {
    const std::string given = OptionOf(admin_, keyword);
    return given.empty() ? std::string(fallback) : given;
  };
  TaskDatabase made;
  made.role = spec.name;
  made.password = password;
  made.database = spec.schema ? option("dbname", option("user", "postgres")) : spec.name;
  made.port = option("port", "5432");
  const std::string host = option("host", option("hostaddr", kUsualSocketDir));
  std::vector<std::string> query;
  if (host.starts_with('/')) {
    made.socket_dir = host;
    query.push_back("host=" + PercentEncode(host));
    query.push_back("port=" + made.port);
  } else {
    made.host = host;
  }
  const std::string tls = option("sslmode", "prefer");
  made.needs_tls = tls == "require" || tls.starts_with("verify-");
  for (const char* keyword : {"sslmode", "sslrootcert"}) {
    const std::string value = OptionOf(admin_, keyword);
    if (!value.empty()) query.push_back(fmt::format("{}={}", keyword, PercentEncode(value)));
  }
  const bool colon = host.find(':') != std::string::npos;
  const std::string place =
      made.host.empty() ? "" : fmt::format("{}:{}", colon ? "[" + host + "]" : host, made.port);
  made.url = fmt::format("postgresql://{}:{}@{}/{}{}{}", made.role, password, place,
                         PercentEncode(made.database), query.empty() ? "" : "?", Join(query, "&"));
  return made;
}

Result<void> TaskServer::Drop(const std::string& name) {
  if (!IsPlainName(name)) {
    return MakeError(ErrorCode::kInvalid, fmt::format("{} is no name for a database", name));
  }
  SWAGE_ASSIGN_OR_RETURN(Session session, Session::Open(admin_));
  const std::string quoted = session.Name(name);
  const std::string literal = session.Literal(name);
  SWAGE_ASSIGN_OR_RETURN(const auto roles,
                         session.Ask("SELECT rolname FROM pg_roles WHERE rolname = " + literal));
  if (!roles.empty()) {
    // Nobody comes in any more, and whoever is in goes.
    SWAGE_RETURN_IF_ERROR(session.Run(fmt::format("ALTER ROLE {} NOLOGIN", quoted)));
    SWAGE_RETURN_IF_ERROR(session.Run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = " + literal));
  }
  SWAGE_RETURN_IF_ERROR(
      session.Run(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted)));
  if (roles.empty()) return Ok();
  // The schema, and whatever else the role made beside its own database.
  SWAGE_RETURN_IF_ERROR(session.Run(fmt::format("DROP OWNED BY {} CASCADE", quoted)));
  return session.Run(fmt::format("DROP ROLE IF EXISTS {}", quoted));
}

Result<std::vector<std::string>> TaskServer::List(std::string_view prefix) {
  SWAGE_ASSIGN_OR_RETURN(Session session, Session::Open(admin_));
  const std::string literal = session.Literal(prefix);
  return session.Ask(
      fmt::format("SELECT rolname FROM pg_roles WHERE starts_with(rolname, {0}) UNION "
                  "SELECT datname FROM pg_database WHERE starts_with(datname, {0}) UNION "
                  "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, {0}) ORDER BY 1",
                  literal));
}

}  // namespace swage::postgres
