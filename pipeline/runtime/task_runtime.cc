#include "pipeline/runtime/task_runtime.h"
#include "pipeline/workspace/file_ownership.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/text.h"
#include "config/repo_allow.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kOwnerDigits = 12;
constexpr std::size_t kWarmOutputCap = 16 << 20;

// Node names are unique among the nodes of one store; the rest tells apart what does not share one.
std::string OwnerOf(const Settings& settings, const std::string& node) {
  const std::string data_dir = fs::absolute(settings.data_dir).lexically_normal();
  return Sha256Hex(fmt::format("{}\n{}\n{}", node, settings.store.reference, data_dir))
      .substr(0, kOwnerDigits);
}

Result<void> MakeFolder(const fs::path& folder, const std::optional<FileOwner>& owner) {
  SWAGE_RETURN_IF_ERROR(MakeDirs(folder));
  return GiveEntry(folder, owner);
}

}  // namespace

Result<void> TaskRuntime::AddVariable(const std::string& name, std::string value,
                                      std::string_view what) {
  if (steps_.every.emplace(name, std::move(value)).second) return Ok();
  return MakeError(ErrorCode::kInvalid,
                   fmt::format("{} wants the variable {}, which something else of this task has "
                               "already; give it another env, or other repos",
                               what, name));
}

Result<void> TaskRuntime::Furnish(const CommandContext& commands, const LevelTraits& level) {
  const fs::path home = commands.env.at("HOME");
  caches_.clear();
  shares_.clear();
  steps_.every = ports_ ? ports_->Env() : StepEnvironments::Variables();
  for (const auto& database : databases_) {
    SWAGE_RETURN_IF_ERROR(GiveDatabase(*database, home, level));
  }
  for (const DatabaseSettings* database : files_) {
    SWAGE_RETURN_IF_ERROR(MakeSqlite(*database, home, level.owner));
  }
  for (const CacheSettings& cache : settings_.caches) {
    if (!IsRepoAllowed(cache.repos, repo_.path)) continue;
    SWAGE_RETURN_IF_ERROR(GiveCache(cache, home, level));
  }
  return Ok();
}

// Each in a folder of its own, since the name of the socket is always the same.
Result<void> TaskRuntime::GiveDatabase(DatabaseLease& database, const fs::path& home,
                                       const LevelTraits& level) {
  if (!level.has_network) {
    const fs::path folder = home / "sockets" / database.variable();
    SWAGE_RETURN_IF_ERROR(MakeFolder(folder.parent_path(), level.owner));
    SWAGE_RETURN_IF_ERROR(MakeFolder(folder, level.owner));
    SWAGE_RETURN_IF_ERROR(database.BringInto(folder, level.owner));
  }
  if (!database.socket_dir().empty()) shares_.push_back({database.socket_dir(), false});
  return AddVariable(database.variable(), database.url(), "a database");
}

// An empty file is an empty database.
Result<void> TaskRuntime::MakeSqlite(const DatabaseSettings& database, const fs::path& home,
                                     const std::optional<FileOwner>& owner) {
  const fs::path folder = home / "databases";
  SWAGE_RETURN_IF_ERROR(MakeFolder(folder, owner));
  const fs::path file = folder / (database.name + ".sqlite");
  SWAGE_RETURN_IF_ERROR(WriteFileFast(file, ""));
  SWAGE_RETURN_IF_ERROR(GiveEntry(file, owner));
  return AddVariable(database.env, "sqlite://" + file.string(), "the database " + database.name);
}

Result<void> TaskRuntime::GiveCache(const CacheSettings& settings, const fs::path& home,
                                    const LevelTraits& level) {
  const fs::path own = home / "caches";
  SWAGE_RETURN_IF_ERROR(MakeFolder(own, level.owner));
  std::string warning;
  SWAGE_ASSIGN_OR_RETURN(
      TaskCache cache,
      store_.Give({settings, repo_, own / settings.name, level.owner, level.may_share}, warning));
  if (!warning.empty()) warnings_.push_back(std::move(warning));
  SWAGE_RETURN_IF_ERROR(
      AddVariable(settings.env, cache.folder.string(), "the cache " + settings.name));
  if (cache.shared) shares_.push_back({cache.folder, false});
  caches_.push_back(std::move(cache));
  return Ok();
}

bool TaskRuntime::HasDueCaches() const {
  return std::ranges::any_of(caches_, [](const TaskCache& cache) { return cache.is_due; });
}

void TaskRuntime::Warm(ProcessRunner& runner, const CommandContext& commands,
                       const ProcessRunner::Sink& log, std::stop_token stop) {
  for (const TaskCache& cache : caches_) {
    if (!stop.stop_requested()) WarmOne(cache, runner, commands, log, stop);
  }
}

void TaskRuntime::WarmOne(const TaskCache& cache, ProcessRunner& runner,
                          const CommandContext& commands, const ProcessRunner::Sink& log,
                          std::stop_token stop) {
  const auto alone = store_.TryWarm(cache);
  if (!alone) return;
  ProcessSpec spec;
  spec.argv = cache.settings->warm;
  spec.env = steps_.ForHook(commands).env;
  spec.cwd = commands.workspace.string();
  spec.time_limit = cache.settings->warm_timeout;
  spec.network = NetworkUse::kAllowList;
  spec.output_cap = kWarmOutputCap;
  const auto ran = runner.Run(spec, log, stop);
  std::string failure;
  if (!ran.ok()) {
    failure = ran.error().message;
  } else if (!ran->Succeeded()) {
    failure = ran->Describe();
  } else if (const auto kept = store_.Keep(cache); !kept.ok()) {
    failure = kept.error().message;
  }
  if (failure.empty() || stop.stop_requested()) return;
  warnings_.push_back(
      fmt::format("the cache {} was not filled: {}", cache.settings->name, failure));
}

TaskRuntimes::TaskRuntimes(const Settings& settings, const std::string& node, Redactor& redactor,
                           Log& log)
    : settings_(settings),
      caches_(settings.data_dir / "caches"),
      databases_(settings.databases, OwnerOf(settings, node), node, redactor, log) {}

Result<std::vector<const DatabaseSettings*>> TaskRuntimes::WantedDatabases(
    const RepoRef& repo, const RepoPolicy& policy) const {
  std::vector<const DatabaseSettings*> wanted;
  std::vector<std::string> names;
  for (const DatabaseSettings& database : settings_.databases) {
    if (!IsRepoAllowed(database.repos, repo.path)) continue;
    names.push_back(database.name);
    const bool asked = !policy.databases || std::ranges::find(*policy.databases, database.name) !=
                                                policy.databases->end();
    if (asked) wanted.push_back(&database);
  }
  if (!policy.databases) return wanted;
  for (const std::string& name : *policy.databases) {
    if (std::ranges::find(names, name) != names.end()) continue;
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("the policy asks for the database {}, which this server does not "
                                 "have for {}; it has {}",
                                 name, repo.path, names.empty() ? "none" : Join(names, ", ")));
  }
  return wanted;
}

Result<std::unique_ptr<TaskRuntime>> TaskRuntimes::Prepare(const Task& task,
                                                           const RepoPolicy& policy) {
  std::unique_ptr<TaskRuntime> runtime(new TaskRuntime(settings_, caches_, task.repo));
  SWAGE_ASSIGN_OR_RETURN(runtime->steps_, GrantSecrets(settings_.secrets, task.repo.path, policy));
  SWAGE_ASSIGN_OR_RETURN(const auto wanted, WantedDatabases(task.repo, policy));
  if (settings_.ports.per_task > 0) {
    SWAGE_ASSIGN_OR_RETURN(runtime->ports_, TakePorts(settings_.ports, task.id));
  }
  for (const DatabaseSettings* database : wanted) {
    if (database->kind == "sqlite") {
      runtime->files_.push_back(database);
      continue;
    }
    SWAGE_ASSIGN_OR_RETURN(auto lease, databases_.Make(*database, task));
    runtime->databases_.push_back(std::move(lease));
  }
  return runtime;
}

Result<int> TaskRuntimes::SweepOrphans() {
  const auto dropped = databases_.SweepOrphans();
  const auto removed = caches_.RemoveOld();
  if (!dropped.ok()) return dropped.error();
  if (!removed.ok()) return removed.error();
  return static_cast<int>(dropped->size()) + *removed;
}

}  // namespace swage
