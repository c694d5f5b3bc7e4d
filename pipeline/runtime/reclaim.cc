#include "pipeline/runtime/reclaim.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/tree_watch.h"
#include "pipeline/runtime/caches.h"
#include "pipeline/workspace/bases.h"
#include "pipeline/workspace/mirror.h"
#include "pipeline/workspace/sweep.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

struct Dated {
  fs::file_time_type when;
  fs::path path;
  bool operator<(const Dated& other) const { return when < other.when; }
};

void AddDated(const fs::path& path, std::vector<Dated>& all) {
  std::error_code error;
  const auto when = fs::last_write_time(path, error);
  if (!error) all.push_back({when, path});
}

std::vector<Dated> InOrder(std::vector<Dated> all) {
  std::sort(all.begin(), all.end());
  return all;
}

std::string Within(const fs::path& dir, const fs::path& place) {
  return place.lexically_relative(dir).string();
}

}  // namespace

// A commit is in the mirror before TakeSnapshot returns: a workspace that holds the only copy of
// one is of a run that was cut short, which begins again from the checkpoint anyway.
Result<bool> KeptWorkspaces::IsSafeToRemove(TaskId id) {
  const auto task = store_.GetTask(id);
  if (!task.ok() && task.error().code == ErrorCode::kNotFound) return true;
  if (!task.ok()) return task.error();
  if (task->state == TaskState::kRunning) return false;
  return task->checkpoint.value.empty() || workspaces_.HasCommit(task->repo, task->checkpoint);
}

Result<std::vector<Spare>> KeptWorkspaces::List() {
  std::vector<Dated> kept;
  for (const fs::path& place : EntriesOf(dir_ / "workspaces")) {
    if (TaskOfWorkspace(place.filename().string())) AddDated(place, kept);
  }
  std::vector<Spare> spares;
  for (const Dated& one : InOrder(std::move(kept))) {
    const std::string name = one.path.filename().string();
    SWAGE_ASSIGN_OR_RETURN(const bool safe, IsSafeToRemove(*TaskOfWorkspace(name)));
    if (safe) spares.push_back({"workspace " + name, one.path});
  }
  return spares;
}

Result<bool> KeptWorkspaces::Remove(const Spare& spare, std::stop_token) {
  std::set<TaskId> live;
  for (const fs::path& place : EntriesOf(dir_ / "workspaces")) {
    if (const auto task = TaskOfWorkspace(place.filename().string())) live.insert(*task);
  }
  const auto task = TaskOfWorkspace(spare.place.filename().string());
  if (!task) return false;
  SWAGE_ASSIGN_OR_RETURN(const bool safe, IsSafeToRemove(*task));
  if (!safe) return false;
  live.erase(*task);
  // It knows which of them this process uses.
  SWAGE_ASSIGN_OR_RETURN(const auto removed, workspaces_.SweepOrphans(live));
  return !removed.empty();
}

Result<std::vector<Spare>> OldCaches::List() {
  std::vector<Dated> all;
  for (const fs::path& repo : EntriesOf(dir_)) {
    for (const fs::path& cache : EntriesOf(repo)) {
      for (const fs::path& generation : EntriesOf(cache)) {
        // One that is being filled has another name, and no lock.
        if (IsCacheGeneration(generation.filename().string())) AddDated(generation, all);
      }
    }
  }
  std::vector<Spare> spares;
  for (const Dated& one : InOrder(std::move(all))) {
    if (IsGenerationInUse(one.path)) continue;
    spares.push_back({"cache " + Within(dir_, one.path), one.path});
  }
  return spares;
}

Result<bool> OldCaches::Remove(const Spare& spare, std::stop_token) {
  return RemoveGeneration(spare.place);
}

Result<std::vector<Spare>> RestingTrees::List() {
  std::vector<Dated> resting;
  for (const fs::path& tree : EntriesOf(pool_)) AddDated(tree, resting);
  std::vector<Spare> spares;
  for (const Dated& one : InOrder(std::move(resting))) {
    spares.push_back({"released worktree " + one.path.filename().string(), one.path});
  }
  return spares;
}

// In one step, so that whoever is about to use it finds all of it or nothing.
Result<bool> RestingTrees::Remove(const Spare& spare, std::stop_token) {
  const fs::path gone = pool_ / (".gone-" + RandomHex(4));
  if (rename(spare.place.c_str(), gone.c_str()) != 0) return false;
  SWAGE_RETURN_IF_ERROR(RemoveTree(gone));
  return true;
}

Result<std::vector<Spare>> IdleBases::List() {
  std::vector<Spare> spares;
  SWAGE_ASSIGN_OR_RETURN(const auto idle, Bases(bases_, {}).ListIdle());
  for (const fs::path& base : idle) {
    spares.push_back({"base checkout " + Within(bases_, base), base});
  }
  return spares;
}

Result<bool> IdleBases::Remove(const Spare& spare, std::stop_token) {
  return Bases(bases_, {}).RemoveIdle(spare.place);
}

Result<std::vector<Spare>> MirrorGarbage::List() {
  const MonotonicTime now = SystemClock().Monotonic();
  std::vector<Spare> spares;
  for (const fs::path& mirror : EntriesOf(mirrors_)) {
    if (mirror.extension() != ".git") continue;
    const auto last = pruned_.find(mirror);
    if (last != pruned_.end() && now - last->second < kEvery) continue;
    SWAGE_ASSIGN_OR_RETURN(const DiskUse disk, MeasureDisk(mirrors_));
    if (DiskUseOf({(mirror / "objects").string()}, disk.free) > disk.free) continue;
    spares.push_back({"garbage of mirror " + mirror.filename().string(), mirror, false});
  }
  return spares;
}

Result<bool> MirrorGarbage::Remove(const Spare& spare, std::stop_token stop) {
  pruned_[spare.place] = SystemClock().Monotonic();
  SWAGE_RETURN_IF_ERROR(Mirror(spare.place, git_).Prune(std::move(stop)));
  return true;
}

std::vector<std::unique_ptr<Reclaimer>> MakeReclaimers(const fs::path& data_dir, Store& store,
                                                       Workspaces& workspaces, const Git& git) {
  std::vector<std::unique_ptr<Reclaimer>> all;
  all.push_back(std::make_unique<RestingTrees>(data_dir));
  all.push_back(std::make_unique<IdleBases>(data_dir));
  all.push_back(std::make_unique<MirrorGarbage>(data_dir, git));
  all.push_back(std::make_unique<OldCaches>(data_dir));
  all.push_back(std::make_unique<KeptWorkspaces>(data_dir, store, workspaces));
  return all;
}

}  // namespace swage
