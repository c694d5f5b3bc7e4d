// What can go when room is short: kept workspaces of finished tasks, caches that are not in use.
#pragma once

#include <filesystem>
#include <set>

#include "config/settings.h"
#include "pipeline/runtime/disk_guard.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// Kept workspaces, the least recently used first, each only when its task does not run and its
/// last checkpoint is in the mirror.
class KeptWorkspaces final : public Reclaimer {
 public:
  KeptWorkspaces(std::filesystem::path data_dir, Store& store, Workspaces& workspaces)
      : dir_(std::move(data_dir)), store_(store), workspaces_(workspaces) {}
  Result<std::optional<std::string>> RemoveOldest() override;

 private:
  Result<bool> IsSafeToRemove(TaskId task);

  const std::filesystem::path dir_;
  Store& store_;
  Workspaces& workspaces_;
};

/// Caches that the bot filled itself, the oldest first; those in use stay.
class OldCaches final : public Reclaimer {
 public:
  explicit OldCaches(std::filesystem::path data_dir) : dir_(data_dir / "caches") {}
  Result<std::optional<std::string>> RemoveOldest() override;

 private:
  const std::filesystem::path dir_;
};

}  // namespace swage
