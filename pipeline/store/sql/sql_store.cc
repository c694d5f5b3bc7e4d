#include "pipeline/store/sql/sql_store.h"

namespace swage::sql {

Result<bool> SqlStore::AddDelivery(const NewDelivery& delivery) {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<bool> fresh, AddDeliveries({delivery}));
  return static_cast<bool>(fresh.front());
}

Result<void> SqlStore::DeferDelivery(DeliveryId id, std::string_view error,
                                     std::chrono::milliseconds delay) {
  return Write("defer delivery", [&](Tx& tx) { return sql::DeferDelivery(tx, id, error, delay); });
}

Result<IntakeResult> SqlStore::ApplyIntake(const IntakePlan& plan) {
  SWAGE_ASSIGN_OR_RETURN(AppliedPlan applied,
                         Write("apply intake", [&](Tx& tx) { return sql::ApplyIntake(tx, plan); }));
  Announce(Topic::kTasks);
  Announce(Topic::kEffects);
  return std::move(applied.result);
}

Result<Task> SqlStore::GetTask(TaskId id) {
  return Read("get task", [&](Connection& db, WallTime) { return sql::GetTask(db, id); });
}

Result<std::optional<Task>> SqlStore::FindTaskByIssue(const RepoRef& repo, std::int64_t issue) {
  return Read("find task",
              [&](Connection& db, WallTime) { return sql::FindTaskByIssue(db, repo, issue); });
}

Result<std::optional<Task>> SqlStore::FindTaskByPullRequest(const RepoRef& repo, std::int64_t pr) {
  return Read("find task",
              [&](Connection& db, WallTime) { return sql::FindTaskByPullRequest(db, repo, pr); });
}

Result<std::vector<Task>> SqlStore::ListTasks(const TaskFilter& filter) {
  return Read("list tasks", [&](Connection& db, WallTime) { return sql::ListTasks(db, filter); });
}

Result<std::vector<Step>> SqlStore::ListSteps(TaskId task) {
  return Read("list steps", [&](Connection& db, WallTime) { return sql::ListSteps(db, task); });
}

Result<std::vector<LedgerFinding>> SqlStore::ListFindings(TaskId task) {
  return Read("list findings",
              [&](Connection& db, WallTime) { return sql::ListFindings(db, task); });
}

Result<std::vector<Delegate>> SqlStore::ListDelegates(TaskId task) {
  return Read("list delegates",
              [&](Connection& db, WallTime) { return sql::ListDelegates(db, task); });
}

Result<std::vector<TimelineEntry>> SqlStore::ListTimeline(TaskId task, std::int64_t after,
                                                          int limit) {
  return Read("list timeline",
              [&](Connection& db, WallTime) { return sql::ListTimeline(db, task, after, limit); });
}

Result<StoreCounts> SqlStore::Counts() {
  return Read("count", [](Connection& db, WallTime) { return sql::Counts(db); });
}

Result<std::optional<Claimed>> SqlStore::ClaimTask(std::string_view node,
                                                   std::chrono::milliseconds lease,
                                                   const ClaimLimits& limits) {
  return Write("claim task", [&](Tx& tx) { return sql::ClaimTask(tx, node, lease, limits); });
}

Result<void> SqlStore::RenewLease(const Lease& lease, std::chrono::milliseconds duration) {
  return Write("renew lease", [&](Tx& tx) { return sql::RenewLease(tx, lease, duration); });
}

Result<int> SqlStore::ExpireAllLeases() {
  return Write("expire leases", [](Tx& tx) { return sql::ExpireAllLeases(tx); });
}

Result<void> SqlStore::SetBase(const Lease& lease, std::string_view branch, const CommitSha& base) {
  return Write("set base", [&](Tx& tx) { return sql::SetBase(tx, lease, branch, base); });
}

Result<void> SqlStore::SetStage(const Lease& lease, Stage stage, int cycle) {
  return Write("set stage", [&](Tx& tx) { return sql::SetStage(tx, lease, stage, cycle); });
}

Result<void> SqlStore::SaveCheckpoint(const Lease& lease, const CommitSha& commit) {
  return Write("save checkpoint", [&](Tx& tx) { return sql::SaveCheckpoint(tx, lease, commit); });
}

Result<std::int64_t> SqlStore::StartStep(const Lease& lease, const Step& step) {
  return Write("start step", [&](Tx& tx) { return sql::StartStep(tx, lease, step); });
}

Result<void> SqlStore::FinishStep(const Lease& lease, std::int64_t step_id,
                                  std::string_view outcome, std::string_view summary,
                                  const CommitSha& commit) {
  return Write("finish step", [&](Tx& tx) {
    return sql::FinishStep(tx, lease, step_id, outcome, summary, commit);
  });
}

Result<void> SqlStore::FinishCycle(const Lease& lease, const CycleRecord& cycle) {
  return Write("finish cycle", [&](Tx& tx) { return sql::FinishCycle(tx, lease, cycle); });
}

Result<std::vector<std::string>> SqlStore::ListRemarks(const Lease& lease) {
  return Write("list remarks", [&](Tx& tx) { return sql::ListRemarks(tx, lease); });
}

Result<void> SqlStore::FinishRun(const Lease& lease, const RunOutcome& outcome) {
  SWAGE_RETURN_IF_ERROR(
      Write("finish run", [&](Tx& tx) { return sql::FinishRun(tx, lease, outcome); }));
  Announce(Topic::kTasks);  // there is room for another one
  Announce(Topic::kEffects);
  return Ok();
}

Result<std::vector<Effect>> SqlStore::DueEffects(int limit) {
  return Read("list due effects",
              [&](Connection& db, WallTime now) { return sql::DueEffects(db, now, limit); });
}

Result<void> SqlStore::AddEffects(const std::vector<NewEffect>& effects) {
  const Result<void> added = Write("add effects", [&](Tx& tx) -> Result<void> {
    for (const NewEffect& effect : effects) SWAGE_RETURN_IF_ERROR(sql::AddEffect(tx, effect));
    return Ok();
  });
  if (added.ok()) Announce(Topic::kEffects);
  return added;
}

Result<void> SqlStore::FinishEffect(const Effect& effect, std::string_view result,
                                    const PublishedFacts& facts) {
  SWAGE_ASSIGN_OR_RETURN(const bool current, Write("finish effect", [&](Tx& tx) {
                           return sql::FinishEffect(tx, effect, result, facts);
                         }));
  Announce(Topic::kEffects);  // the next in line
  if (current) return Ok();
  return MakeError(ErrorCode::kLeaseLost, "finish effect: it was superseded meanwhile");
}

Result<void> SqlStore::RetryEffect(const Effect& effect, std::string_view error,
                                   std::chrono::milliseconds delay) {
  return Write("retry effect", [&](Tx& tx) { return sql::RetryEffect(tx, effect, error, delay); });
}

Result<void> SqlStore::FailEffect(const Effect& effect, std::string_view error, bool fail_task) {
  return Write("fail effect",
               [&](Tx& tx) { return sql::FailEffect(tx, effect, error, fail_task); });
}

}  // namespace swage::sql
