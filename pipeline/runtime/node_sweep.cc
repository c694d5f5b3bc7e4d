#include "pipeline/runtime/node_sweep.h"

namespace swage {

Result<void> NodeSweep::RunOnce(std::stop_token stop) {
  if (!keep_workspaces_) {
    SWAGE_ASSIGN_OR_RETURN(const auto removed, workspaces_.SweepOrphans({}));
    if (!removed.empty()) {
      log_.Info("removed workspaces that no task holds", {{"count", removed.size()}});
    }
  }
  if (const auto tidied = workspaces_.TidyKept(); !tidied.ok()) {
    log_.Warn("what lies ready for tasks was not tidied up", {{"error", tidied.error().message}});
  }
  SWAGE_ASSIGN_OR_RETURN(const int swept, runtimes_.SweepOrphans());
  if (swept > 0) log_.Info("removed databases and caches that no task holds", {{"count", swept}});
  return keep_workspaces_ ? Ok() : ForgetBranches(std::move(stop));
}

// What failed or was stopped may hold work that is nowhere else: its branch stays.
Result<void> NodeSweep::ForgetBranches(std::stop_token stop) {
  for (const TaskState state : {TaskState::kMerged, TaskState::kClosed}) {
    TaskFilter filter;
    filter.state = state;
    filter.limit = kMaxTasks;
    SWAGE_ASSIGN_OR_RETURN(const auto tasks, store_.ListTasks(filter));
    for (const Task& task : tasks) {
      if (stop.stop_requested()) return Ok();
      if (task.branch.empty()) continue;
      const auto gone =
          workspaces_.ForgetBranch(task.repo, task.branch, task.base_branch, task.pushed);
      if (gone.ok()) continue;
      log_.Warn("a branch of a task that is over was not forgotten",
                {{"task_id", task.id}, {"error", gone.error().message}});
    }
  }
  return Ok();
}

}  // namespace swage
