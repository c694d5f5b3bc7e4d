// Databases: what each task has of the databases that the settings offer (C6).
//
// A DatabaseLease is one task's database with the role that may use it; it is dropped with the
// lease. What a crash left behind is found by its name, which tells the node and the task, and goes
// at the next sweep. Thread-safe.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/base/log.h"
#include "config/base/redact.h"
#include "config/runtime_settings.h"
#include "pipeline/runtime/socket_relay.h"
#include "pipeline/store/postgres/task_database.h"
#include "pipeline/task.h"

namespace swage {

class Databases;

class DatabaseLease {
 public:
  ~DatabaseLease();
  DatabaseLease(const DatabaseLease&) = delete;
  DatabaseLease& operator=(const DatabaseLease&) = delete;

  const std::string& variable() const { return settings().env; }
  const std::string& url() const { return database_.url; }
  /// The folder of the server's socket, if that is how it is reached; else empty.
  const std::string& socket_dir() const { return database_.socket_dir; }
  /// For a task without a network: from now on `url` is that of a socket in `folder`, which is
  /// there. No change where the server is reached by a socket anyway. Errors: as SocketRelay, and
  /// kInvalid (the server wants TLS, which sockets do not have).
  Result<void> BringInto(const std::filesystem::path& folder,
                         const std::optional<FileOwner>& owner);
  /// Drops it; again is no error. What fails is left to the next sweep.
  Result<void> Drop();

 private:
  friend class Databases;
  DatabaseLease(Databases& all, std::size_t server, std::string name)
      : all_(all), server_(server), name_(std::move(name)) {}
  const DatabaseSettings& settings() const;

  Databases& all_;
  const std::size_t server_;
  const std::string name_;
  postgres::TaskDatabase database_;
  std::unique_ptr<SocketRelay> relay_;
  bool dropped_ = false;
};

class Databases {
 public:
  /// `owner` is what tells this node's data directory from all others: hexadecimal digits. The
  /// redactor learns each password for as long as there is a use for it. All outlive this.
  Databases(const std::vector<DatabaseSettings>& settings, std::string owner, std::string node,
            Redactor& redactor, Log& log);

  /// `settings` is one of the constructor's, of the kind postgres. Errors: as TaskServer::Make.
  Result<std::unique_ptr<DatabaseLease>> Make(const DatabaseSettings& settings, const Task& task);
  /// Drops what carries this node's name and is held by nobody here. Goes on after a failure, and
  /// returns the first one at the end.
  Result<std::vector<std::string>> SweepOrphans();

 private:
  friend class DatabaseLease;
  Result<postgres::TaskServer*> ServerOf(std::size_t index);
  bool IsHeld(const std::string& name);
  void Forget(const std::string& name);

  const std::vector<DatabaseSettings>& settings_;
  const std::string prefix_;
  const std::string node_;
  Redactor& redactor_;
  Log& log_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<postgres::TaskServer>> servers_;  ///< made at their first use
  std::set<std::string> held_;
};

}  // namespace swage
