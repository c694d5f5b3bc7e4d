#include "pipeline/maintenance/base_watch.h"

#include <fmt/format.h>

#include <map>
#include <tuple>

#include "pipeline/base_drift.h"
#include "pipeline/effects.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

// Once for each base that the work was begun on: adding it again changes nothing.
NewEffect Warning(const Task& task, std::string_view prefix) {
  return CommentOnce(task, {ThreadKind::kPullRequest, task.pr_number},
                     fmt::format("rewritten-{}-{}", task.id.value, task.base_sha.value),
                     [&](auto marker) { return messages::BaseRewritten(marker, task, prefix); });
}

}  // namespace

Result<void> BaseWatch::RunOnce(std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Task> tasks,
                         store_.ListTasks({TaskState::kInReview, "", kMaxTasks}));
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<Task>> by_branch;
  for (const Task& task : tasks) {
    if (task.pr_number == 0 || task.base_sha.value.empty()) continue;
    by_branch[{task.repo.forge, task.repo.id, task.base_branch}].push_back(task);
  }
  for (const auto& [branch, on_it] : by_branch) {
    if (stop.stop_requested()) return Ok();
    const auto looked = Look(on_it, stop);
    if (looked.ok()) continue;
    log_.Warn("cannot look at a base branch", {{"repo", on_it.front().repo.path},
                                               {"branch", on_it.front().base_branch},
                                               {"error", looked.error().message}});
  }
  return Ok();
}

// All on one branch.
Result<void> BaseWatch::Look(const std::vector<Task>& tasks, std::stop_token stop) {
  const RepoRef& repo = tasks.front().repo;
  const std::string& branch = tasks.front().base_branch;
  Forge* const forge = forges_(repo.forge);
  SWAGE_ASSIGN_OR_RETURN(const PaceView pace, store_.GetPace(repo.forge));
  if (forge == nullptr || pace.left.count() > 0) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const GitRemote remote, forge->Remote(repo, GitAccess::kRead));
  SWAGE_ASSIGN_OR_RETURN(const CommitSha tip, workspaces_.Fetch(repo, remote, branch, stop));
  const std::string key = fmt::format("base:{}:{}:{}", repo.forge, repo.id, branch);
  SWAGE_ASSIGN_OR_RETURN(const auto seen, store_.GetPoll(key));
  if (seen && seen->cursor == tip.value) return Ok();
  for (const Task& task : tasks) {
    SWAGE_ASSIGN_OR_RETURN(const BaseDrift drift, FindDrift(workspaces_, repo, task.base_sha, tip));
    if (drift != BaseDrift::kRewritten) continue;
    log_.Info("a base was rewritten under a pull request",
              {{"task_id", task.id}, {"branch", branch}, {"base", task.base_sha}});
    SWAGE_RETURN_IF_ERROR(store_.AddEffects({Warning(task, command_prefix_)}));
  }
  return store_.SetPoll({key, tip.value, ""});
}

}  // namespace swage
