// TaskServer: databases and roles for single tasks on a PostgreSQL server, which need not be the
// one that Swage keeps its own rows on (C6).
//
// Each task has a role with a random password that may log in, use its own database (or schema) and
// nothing else; the role that makes them never leaves this file. Names carry the node and the task,
// so that what a crash left can be found: PREFIX_TASK_TOKEN. Stateless but for what it has learnt
// of the server; every call makes a connection of its own and blocks for at most a minute.
// Thread-safe.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"
#include "pipeline/store/postgres/address.h"

namespace swage::postgres {

struct TaskDatabaseSpec {
  std::string name;     ///< of role and database (or schema); letters, digits and _, 63 at most
  std::string comment;  ///< for whoever looks at the server
  bool schema = false;  ///< only a schema, in the administrator's database
  std::string source;   ///< the database that the new one is a copy of; empty = an empty one
  int connections = 20;
};

struct TaskDatabase {
  std::string url;  ///< with role and password, for the task
  std::string role;
  std::string password;
  std::string database;
  std::string socket_dir;  ///< of a server that is reached by a socket's folder; else empty
  std::string host;        ///< of one that is reached by TCP; else empty
  std::string port;
  bool needs_tls = false;  ///< the administrator's URL asks for it

  /// The same database by a socket in another folder, with PostgreSQL's usual name there.
  std::string UrlBySocketIn(std::string_view folder) const;
};
/// The name of a server's socket in its folder.
inline constexpr std::string_view kSocketName = ".s.PGSQL.5432";

class TaskServer {
 public:
  /// Errors: kInvalid (no URL).
  static Result<TaskServer> FromUrl(std::string_view admin_url);
  TaskServer(TaskServer&& other) noexcept
      : admin_(std::move(other.admin_)), asks_passwords_(other.asks_passwords_.load()) {}

  /// "database app at db.example.com:5432 as maker"
  const std::string& label() const { return admin_.label; }
  /// On failure nothing is left. Errors: kDenied (the role may not, or the server lets anybody in
  /// without a password), kUnavailable, kUnauthenticated, kInvalid.
  Result<TaskDatabase> Make(const TaskDatabaseSpec& spec);
  /// Ends its sessions and drops role and database or schema; what is not there is no error.
  Result<void> Drop(const std::string& name);
  /// The names of roles, databases and schemas that begin so, each once.
  Result<std::vector<std::string>> List(std::string_view prefix);

 private:
  explicit TaskServer(Address admin) : admin_(std::move(admin)) {}
  Result<void> MakeParts(const TaskDatabaseSpec& spec, const std::string& password);
  Result<void> MustAskPasswords(const TaskDatabase& made);
  TaskDatabase Describe(const TaskDatabaseSpec& spec, const std::string& password) const;

  Address admin_;
  std::atomic<bool> asks_passwords_{false};
};

}  // namespace swage::postgres
