#include "pipeline/maintenance/dependency_watch.h"

#include <fmt/format.h>

#include "pipeline/effects.h"
#include "pipeline/takeover.h"

namespace swage {

Result<void> DependencyWatch::RunOnce(std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(const auto blocked, store_.ListBlocked(kMaxPairs));
  Answers answers;
  for (const BlockedTask& task : blocked) {
    if (stop.stop_requested() || answers.size() >= kMaxQuestions) break;
    const auto waits = IsBlocked(task, answers);
    if (!waits.ok()) {
      log_.Warn("cannot tell whether a task still waits",
                {{"task_id", task.task}, {"error", waits.error().message}});
      continue;
    }
    if (!*waits) SWAGE_RETURN_IF_ERROR(Queue(task));
  }
  return Ok();
}

Result<bool> DependencyWatch::IsBlocked(const BlockedTask& task, Answers& answers) {
  for (const std::int64_t issue : task.issues) {
    SWAGE_ASSIGN_OR_RETURN(const bool open, IsOpen(task.repo, issue, answers));
    if (open) return true;
  }
  return false;
}

Result<bool> DependencyWatch::IsOpen(const RepoRef& repo, std::int64_t issue, Answers& answers) {
  const std::string key = fmt::format("{}/{}#{}", repo.forge, repo.id, issue);
  if (const auto known = answers.find(key); known != answers.end()) return known->second;
  Forge* const forge = forges_(repo.forge);
  if (forge == nullptr) {
    return MakeError(ErrorCode::kInvalid, repo.forge + " is not configured any more");
  }
  SWAGE_ASSIGN_OR_RETURN(const bool open, IsIssueOpen(*forge, repo, issue));
  answers[key] = open;
  return open;
}

Result<void> DependencyWatch::Queue(const BlockedTask& task) {
  IntakePlan plan;
  plan.outcome = "what it waited for is closed";
  TaskChange change;
  change.task = task.task;
  change.kind = TaskChangeKind::kRequeue;
  change.run_kind = RunKind::kImplement;
  plan.changes.push_back(std::move(change));
  plan.effects.push_back(StickyEffect(task.repo, task.task));
  const auto applied = store_.ApplyIntake(plan);
  // Somebody was faster, or has stopped it.
  if (!applied.ok() && applied.error().code == ErrorCode::kConflict) return Ok();
  if (!applied.ok()) return applied.error();
  log_.Info("a task's dependencies are closed", {{"task_id", task.task}});
  on_queued_();
  return Ok();
}

}  // namespace swage
