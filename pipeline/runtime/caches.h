// Caches: folders with what tasks need not download or build anew (C8, T30).
//
// What one task writes no other task reads. A cache is the operator's own folder, or one of the
// bot's that a declared command fills: in the workspace of a task that stands on the base branch,
// before its agent begins. It is then copied away and never changes; a newer one takes its place.
// Tasks get a copy of their own, or read the one folder where their level keeps them from writing.
//
// Layout: data_dir/caches/FORGE-REPOID/NAME/MICROSECONDS, and beside it MICROSECONDS.lock, which
// its readers hold. Safe for many processes on one data_dir; a TaskCache belongs to one thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/base/clock.h"
#include "config/base/file_owner.h"
#include "config/base/files.h"
#include "config/runtime_settings.h"
#include "pipeline/gate.h"
#include "pipeline/task.h"

namespace swage {

/// One cache as one task has it.
struct TaskCache {
  const CacheSettings* settings = nullptr;
  std::filesystem::path store;   ///< where its generations are; empty = the operator's folder
  std::filesystem::path folder;  ///< what the task sees
  bool shared = false;           ///< `folder` is everybody's
  bool is_due = false;           ///< `warm` should fill it, if this task may
  Fd in_use;                     ///< keeps a shared generation from being removed
};

struct CacheRequest {
  const CacheSettings& settings;
  RepoRef repo;
  std::filesystem::path own;       ///< the folder for this task's copy; is made
  std::optional<FileOwner> owner;  ///< of the copy
  bool may_share = false;          ///< the task's level keeps it from writing to what is shared
};

/// Whether a folder of a cache's store is a filled one, by its name.
bool IsCacheGeneration(std::string_view name);
/// Whether a task reads this one.
bool IsGenerationInUse(const std::filesystem::path& generation);
/// False: a task reads it, and it stays.
Result<bool> RemoveGeneration(const std::filesystem::path& generation);

class Caches {
 public:
  explicit Caches(std::filesystem::path dir) : dir_(std::move(dir)) {}

  /// `warning` is set when the task gets an empty folder although there is a cache. Errors:
  /// kInternal.
  Result<TaskCache> Give(const CacheRequest& request, std::string& warning) const;
  /// Takes the right to fill the cache; nothing = another task does.
  std::optional<Fd> TryWarm(const TaskCache& cache) const;
  /// Makes a new generation of what `warm` has left in the task's folder. Errors: kTooLarge,
  /// kInternal.
  Result<void> Keep(const TaskCache& cache) const;
  /// Removes generations that are neither the newest nor in use, and what a crash left half done.
  Result<int> RemoveOld() const;

 private:
  const std::filesystem::path dir_;
};

}  // namespace swage
