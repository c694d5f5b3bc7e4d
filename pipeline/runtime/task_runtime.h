// TaskRuntime: what one task has beside its files: ports, databases, secrets, caches.
//
// Made before the workspace is (what cannot be had is best known early), furnished once the
// workspace is there, and given back with it. Ports are free again when the object goes; databases
// are dropped by the destructor, or by a later sweep. A TaskRuntime
// belongs to one thread; TaskRuntimes, which makes them, is one per process and thread-safe.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "config/base/file_owner.h"
#include "config/base/log.h"
#include "config/base/process.h"
#include "config/base/redact.h"
#include "config/settings.h"
#include "pipeline/isolation/isolation.h"
#include "pipeline/runtime/caches.h"
#include "pipeline/runtime/databases.h"
#include "pipeline/runtime/ports.h"
#include "pipeline/runtime/step_environment.h"
#include "pipeline/task.h"

namespace swage {

/// What the level of a task means for what it gets.
struct LevelTraits {
  std::optional<FileOwner> owner;  ///< whose its files are; nothing = the bot's own
  bool may_share = false;          ///< it keeps commands from writing to what is shared
  bool has_network = true;         ///< commands reach servers by themselves
};

class TaskRuntime {
 public:
  /// Puts what lies in files below the task's HOME, which `commands` names; again when the task
  /// goes on in another workspace, with what is in databases kept. Errors: kInternal, kInvalid (two
  /// of them want one variable, or a database cannot be reached at that level).
  Result<void> Furnish(const CommandContext& commands, const LevelTraits& level);
  /// Directories that the task's commands have to see. After Furnish.
  const std::vector<Shared>& Shares() const { return shares_; }
  /// What each step sees. After Furnish.
  const StepEnvironments& Environments() const { return steps_; }
  bool HasDueCaches() const;
  /// Fills the caches that are due, by their commands. Only for a workspace that stands on the base
  /// branch, before anything of the task ran in it. What fails is a warning.
  void Warm(ProcessRunner& runner, const CommandContext& commands, const ProcessRunner::Sink& log,
            std::stop_token stop);
  /// For people, one sentence each: what the task has to do without.
  const std::vector<std::string>& Warnings() const { return warnings_; }

 private:
  friend class TaskRuntimes;
  TaskRuntime(const Settings& settings, const Caches& store, RepoRef repo)
      : settings_(settings), store_(store), repo_(std::move(repo)) {}
  Result<void> AddVariable(const std::string& name, std::string value, std::string_view what);
  Result<void> GiveDatabase(DatabaseLease& database, const std::filesystem::path& home,
                            const LevelTraits& level);
  Result<void> MakeSqlite(const DatabaseSettings& database, const std::filesystem::path& home,
                          const std::optional<FileOwner>& owner);
  Result<void> GiveCache(const CacheSettings& settings, const std::filesystem::path& home,
                         const LevelTraits& level);
  void WarmOne(const TaskCache& cache, ProcessRunner& runner, const CommandContext& commands,
               const ProcessRunner::Sink& log, std::stop_token stop);

  const Settings& settings_;
  const Caches& store_;
  const RepoRef repo_;
  std::optional<PortBlock> ports_;
  std::vector<std::unique_ptr<DatabaseLease>> databases_;
  std::vector<const DatabaseSettings*> files_;  ///< SQLite
  std::vector<TaskCache> caches_;
  std::vector<Shared> shares_;
  std::vector<std::string> warnings_;
  StepEnvironments steps_;
};

class TaskRuntimes {
 public:
  /// All of them outlive this. `node` is the process's name in leases.
  TaskRuntimes(const Settings& settings, const std::string& node, Redactor& redactor, Log& log);

  /// Blocks while databases are made. Errors: kInvalid (the policy asks for what the server does
  /// not grant), kUnavailable (no ports, no database just now), kDenied, kInternal.
  Result<std::unique_ptr<TaskRuntime>> Prepare(const Task& task, const RepoPolicy& policy);
  /// Removes what earlier lives of this node left: databases, old caches. Errors: the first one, at
  /// the end.
  Result<int> SweepOrphans();

 private:
  Result<std::vector<const DatabaseSettings*>> WantedDatabases(const RepoRef& repo,
                                                               const RepoPolicy& policy) const;

  const Settings& settings_;
  const Caches caches_;
  Databases databases_;
};

}  // namespace swage
