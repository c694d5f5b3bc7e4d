#include "pipeline/runtime/reclaim.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <vector>

#include "config/base/files.h"
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

Result<std::optional<std::string>> KeptWorkspaces::RemoveOldest() {
  std::vector<Dated> kept;
  std::set<TaskId> others;
  for (const fs::path& place : EntriesOf(dir_ / "workspaces")) {
    const auto task = TaskOfWorkspace(place.filename().string());
    if (!task) continue;
    others.insert(*task);
    AddDated(place, kept);
  }
  std::sort(kept.begin(), kept.end());
  for (const Dated& one : kept) {
    const TaskId task = *TaskOfWorkspace(one.path.filename().string());
    SWAGE_ASSIGN_OR_RETURN(const bool safe, IsSafeToRemove(task));
    if (!safe) continue;
    std::set<TaskId> live = others;
    live.erase(task);
    // It knows which of them this process uses.
    SWAGE_ASSIGN_OR_RETURN(const auto removed, workspaces_.SweepOrphans(live));
    if (!removed.empty()) return std::optional("workspace " + removed.front());
  }
  return std::optional<std::string>();
}

Result<std::optional<std::string>> OldCaches::RemoveOldest() {
  std::vector<Dated> all;
  for (const fs::path& repo : EntriesOf(dir_)) {
    for (const fs::path& cache : EntriesOf(repo)) {
      for (const fs::path& generation : EntriesOf(cache)) {
        std::error_code ignored;
        if (fs::is_directory(fs::symlink_status(generation, ignored))) AddDated(generation, all);
      }
    }
  }
  std::sort(all.begin(), all.end());
  for (const Dated& one : all) {
    const fs::path guard = one.path.string() + ".lock";
    const Fd lock(open(guard.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.valid() || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
    SWAGE_RETURN_IF_ERROR(RemoveTree(one.path));
    std::error_code ignored;
    fs::remove(guard, ignored);
    return std::optional("cache " + fs::relative(one.path, dir_, ignored).string());
  }
  return std::optional<std::string>();
}

}  // namespace swage
