// What can go when room is short, in the order in which it goes: first what only makes the next
// task begin sooner (released worktrees, base checkouts that nobody uses), then what is of no use
// to anybody (garbage of the mirrors), then what the next task has to fetch again (caches), last
// what people wanted to look at (kept workspaces of finished tasks).
//
// Each belongs to one node's data_dir. Base checkouts and caches are asked by their locks on disk,
// kept workspaces of the store and of this process: only who holds the data_dir (TakeDataDir) may
// remove.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "config/base/clock.h"
#include "pipeline/runtime/disk_guard.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/git.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// Worktrees that lie ready for the next task.
class RestingTrees final : public Reclaimer {
 public:
  explicit RestingTrees(const std::filesystem::path& data_dir) : pool_(data_dir / "pool") {}
  Result<std::vector<Spare>> List() override;
  Result<bool> Remove(const Spare& spare, std::stop_token stop) override;

 private:
  const std::filesystem::path pool_;
};

/// Base checkouts, the longest unused first; those of running tasks stay.
class IdleBases final : public Reclaimer {
 public:
  explicit IdleBases(const std::filesystem::path& data_dir) : bases_(data_dir / "bases") {}
  Result<std::vector<Spare>> List() override;
  Result<bool> Remove(const Spare& spare, std::stop_token stop) override;

 private:
  const std::filesystem::path bases_;
};

/// Objects of mirrors that nothing refers to any more: see Mirror::Prune. Each mirror at most once
/// in kEvery, and only while there is room for a second copy of it.
class MirrorGarbage final : public Reclaimer {
 public:
  static constexpr std::chrono::hours kEvery{6};

  MirrorGarbage(const std::filesystem::path& data_dir, Git git)
      : mirrors_(data_dir / "mirrors"), git_(std::move(git)) {}
  Result<std::vector<Spare>> List() override;
  Result<bool> Remove(const Spare& spare, std::stop_token stop) override;

 private:
  const std::filesystem::path mirrors_;
  const Git git_;
  std::map<std::filesystem::path, MonotonicTime> pruned_;
};

/// Kept workspaces, the least recently used first, each only when its task does not run and its
/// last checkpoint is in the mirror.
class KeptWorkspaces final : public Reclaimer {
 public:
  KeptWorkspaces(std::filesystem::path data_dir, Store& store, Workspaces& workspaces)
      : dir_(std::move(data_dir)), store_(store), workspaces_(workspaces) {}
  Result<std::vector<Spare>> List() override;
  Result<bool> Remove(const Spare& spare, std::stop_token stop) override;

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
  Result<std::vector<Spare>> List() override;
  Result<bool> Remove(const Spare& spare, std::stop_token stop) override;

 private:
  const std::filesystem::path dir_;
};

/// All of them, in order. `store` and `workspaces` must outlive them.
std::vector<std::unique_ptr<Reclaimer>> MakeReclaimers(const std::filesystem::path& data_dir,
                                                       Store& store, Workspaces& workspaces,
                                                       const Git& git);

}  // namespace swage
