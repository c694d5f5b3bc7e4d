#include "pipeline/store/sql/sql_store.h"

#include "pipeline/store/sql/paces.h"

namespace swage::sql {

Result<bool> SqlStore::AddDelivery(const NewDelivery& delivery) {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<bool> fresh, AddDeliveries({delivery}));
  return static_cast<bool>(fresh.front());
}

Result<void> SqlStore::ReleaseDeliveries(std::string_view node) {
  return Write("release deliveries", [&](Tx& tx) { return sql::ReleaseDeliveries(tx, node); });
}

Result<void> SqlStore::DeferDelivery(DeliveryId id, std::string_view error,
                                     std::chrono::milliseconds delay, Blame blame) {
  return Write("defer delivery",
               [&](Tx& tx) { return sql::DeferDelivery(tx, id, error, delay, blame); });
}

Result<IntakeResult> SqlStore::ApplyIntake(const IntakePlan& plan) {
  SWAGE_ASSIGN_OR_RETURN(AppliedPlan applied,
                         Write("apply intake", [&](Tx& tx) { return sql::ApplyIntake(tx, plan); }));
  Announce(Topic::kTasks);
  Announce(Topic::kEffects);
  return std::move(applied.result);
}

Result<std::optional<PollMark>> SqlStore::GetPoll(std::string_view key) {
  return Read("get poll", [&](Connection& db, WallTime) { return sql::GetPoll(db, key); });
}

Result<void> SqlStore::SetPoll(const PollMark& mark) {
  return Write("set poll", [&](Tx& tx) { return sql::SetPoll(tx, mark); });
}

Result<void> SqlStore::ForgetPoll(std::string_view key) {
  return Write("forget poll", [&](Tx& tx) { return sql::ForgetPoll(tx, key); });
}

Result<std::vector<PollMark>> SqlStore::ListPolls(std::string_view prefix, int limit) {
  return Read("list polls",
              [&](Connection& db, WallTime) { return sql::ListPolls(db, prefix, limit); });
}

Result<bool> SqlStore::IsObeyed(std::string_view command_key) {
  return Read("find command",
              [&](Connection& db, WallTime) { return sql::IsObeyed(db, command_key); });
}

Result<bool> SqlStore::HasDelivery(std::string_view forge, std::string_view key) {
  return Read("find delivery",
              [&](Connection& db, WallTime) { return sql::HasDelivery(db, forge, key); });
}

Result<bool> SqlStore::HasDeliverySince(std::string_view forge, WallTime since) {
  return Read("find delivery",
              [&](Connection& db, WallTime) { return sql::HasDeliverySince(db, forge, since); });
}

Result<void> SqlStore::RenameRepo(const RepoRef& repo) {
  return Write("rename repository", [&](Tx& tx) -> Result<void> {
    SWAGE_RETURN_IF_ERROR(sql::RepoRow(tx, repo));
    return Ok();
  });
}

Result<bool> SqlStore::IsByLabel(TaskId task) {
  return Read("find label", [&](Connection& db, WallTime) { return sql::IsByLabel(db, task); });
}

Result<std::vector<BlockedTask>> SqlStore::ListBlocked(int limit) {
  return Read("list blocked tasks",
              [&](Connection& db, WallTime) { return sql::ListBlocked(db, limit); });
}

Result<Starts> SqlStore::CountStarts(const RepoRef& repo, std::string_view account,
                                     std::chrono::milliseconds within) {
  return Read("count starts", [&](Connection& db, WallTime now) {
    return sql::CountStarts(db, repo, account, now - within);
  });
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

Result<std::vector<Remark>> SqlStore::ListSeenRemarks(TaskId task) {
  return Read("list seen remarks",
              [&](Connection& db, WallTime) { return sql::ListSeenRemarks(db, task); });
}

Result<std::vector<Delegate>> SqlStore::ListDelegates(TaskId task) {
  return Read("list delegates",
              [&](Connection& db, WallTime) { return sql::ListDelegates(db, task); });
}

Result<std::vector<LevelStep>> SqlStore::ListLevels(TaskId task) {
  return Read("list levels", [&](Connection& db, WallTime) { return sql::ListLevels(db, task); });
}

Result<std::vector<BlockedHost>> SqlStore::ListBlockedHosts(TaskId task) {
  return Read("list blocked hosts",
              [&](Connection& db, WallTime) { return sql::ListBlockedHosts(db, task); });
}

Result<std::set<Sign>> SqlStore::ListSigns(TaskId task) {
  return Read("list signs", [&](Connection& db, WallTime) { return sql::ListSigns(db, task); });
}

Result<std::vector<TimelineEntry>> SqlStore::ListTimeline(TaskId task, std::int64_t after,
                                                          int limit) {
  return Read("list timeline",
              [&](Connection& db, WallTime) { return sql::ListTimeline(db, task, after, limit); });
}

Result<StoreCounts> SqlStore::Counts() {
  return Read("count", [](Connection& db, WallTime) { return sql::Counts(db); });
}

Result<std::vector<ParkedDelivery>> SqlStore::ListParkedDeliveries(int limit) {
  return Read("list parked deliveries",
              [&](Connection& db, WallTime) { return sql::ListParkedDeliveries(db, limit); });
}

Result<std::vector<FailedEffect>> SqlStore::ListFailedEffects(int limit) {
  return Read("list failed effects",
              [&](Connection& db, WallTime) { return sql::ListFailedEffects(db, limit); });
}

Result<void> SqlStore::AppendAudit(const AuditEntry& e) {
  return Write("append to the audit log", [&](Tx& tx) {
    return sql::AddAudit(tx, e.actor, e.action, e.task, e.subject, e.detail);
  });
}

Result<int> SqlStore::SealAudit(int limit) {
  return Write("seal the audit log", [&](Tx& tx) { return sql::SealAudit(tx, limit); });
}

Result<std::vector<AuditRecord>> SqlStore::ListAudit(std::int64_t after, int limit) {
  return Read("list the audit log",
              [&](Connection& db, WallTime) { return sql::ListAudit(db, after, limit); });
}

Result<AuditState> SqlStore::GetAuditState() {
  return Read("look at the audit log",
              [](Connection& db, WallTime) { return sql::GetAuditState(db); });
}

Result<std::vector<Claimed>> SqlStore::ClaimTasks(std::string_view node,
                                                  std::chrono::milliseconds lease,
                                                  const ClaimLimits& limits, int most) {
  return Write("claim tasks",
               [&](Tx& tx) { return sql::ClaimTasks(tx, node, lease, limits, most); });
}

Result<std::vector<TaskId>> SqlStore::RenewLeases(const std::vector<Lease>& leases,
                                                  std::chrono::milliseconds duration) {
  return Write("renew leases", [&](Tx& tx) { return sql::RenewLeases(tx, leases, duration); });
}

Result<int> SqlStore::ExpireAllLeases() {
  return Write("expire leases", [](Tx& tx) { return sql::ExpireAllLeases(tx); });
}

Result<int> SqlStore::ExpireLeases(std::string_view node) {
  return Write("expire leases", [&](Tx& tx) { return sql::ExpireLeases(tx, node); });
}

Result<std::vector<Lease>> SqlStore::ListLeases(std::string_view node) {
  return Read("list leases", [&](Connection& db, WallTime engine_now) {
    return sql::ListLeases(db, engine_now, node);
  });
}

Result<void> SqlStore::Heartbeat(const NodeInfo& node) {
  return Write("heartbeat", [&](Tx& tx) { return sql::Heartbeat(tx, node); });
}

Result<std::vector<NodeInfo>> SqlStore::ListNodes() {
  return Read("list nodes", [](Connection& db, WallTime now) { return sql::ListNodes(db, now); });
}

Result<void> SqlStore::ForgetNode(std::string_view name, std::string_view instance) {
  return Write("forget node", [&](Tx& tx) { return sql::ForgetNode(tx, name, instance); });
}

Result<SettledLevels> SqlStore::SettleLevels(const LevelSupply& supply) {
  // Mostly there is nothing to settle, and every node asks again and again.
  SWAGE_ASSIGN_OR_RETURN(const bool any, Read("look at levels", [&](Connection& db, WallTime now) {
                           return sql::AnyLevelToSettle(db, now, supply);
                         }));
  if (!any) return SettledLevels{};
  SWAGE_ASSIGN_OR_RETURN(SettledLevels settled, Write("settle levels", [&](Tx& tx) {
                           return sql::SettleLevels(tx, supply);
                         }));
  if (!settled.released.empty()) Announce(Topic::kTasks);
  Announce(Topic::kEffects);
  return settled;
}

Result<void> SqlStore::SetBase(const Lease& lease, std::string_view branch, const CommitSha& base) {
  return Write("set base", [&](Tx& tx) { return sql::SetBase(tx, lease, branch, base); });
}

Result<void> SqlStore::SetStage(const Lease& lease, Stage stage, int cycle) {
  return Write("set stage", [&](Tx& tx) { return sql::SetStage(tx, lease, stage, cycle); });
}

Result<void> SqlStore::SaveCheckpoint(const Lease& lease, const Checkpoint& checkpoint) {
  return Write("save checkpoint",
               [&](Tx& tx) { return sql::SaveCheckpoint(tx, lease, checkpoint); });
}

Result<std::optional<Checkpoint>> SqlStore::LoadCheckpoint(TaskId task) {
  return Read("load checkpoint",
              [&](Connection& db, WallTime) { return sql::LoadCheckpoint(db, task); });
}

Result<int> SqlStore::DropOldCheckpoints(std::chrono::milliseconds age, int limit) {
  return Write("drop old checkpoints",
               [&](Tx& tx) { return tx.db.Run("DropOldCheckpoints", tx.now - age, limit); });
}

Result<void> SqlStore::AddNote(const Lease& lease, std::string_view text) {
  return Write("add note", [&](Tx& tx) { return sql::AddNote(tx, lease, text); });
}

Result<void> SqlStore::RaiseLevel(const Lease& lease, const LevelStep& step) {
  return Write("raise level", [&](Tx& tx) { return sql::RaiseLevel(tx, lease, step); });
}

Result<void> SqlStore::AddBlockedHosts(const Lease& lease, const std::vector<BlockedHost>& hosts) {
  return Write("add blocked hosts", [&](Tx& tx) { return sql::AddBlockedHosts(tx, lease, hosts); });
}

Result<void> SqlStore::AddSigns(const Lease& lease, const std::set<Sign>& signs) {
  return Write("add signs", [&](Tx& tx) { return sql::AddSigns(tx, lease, signs); });
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

Result<std::vector<Remark>> SqlStore::ListRemarks(const Lease& lease) {
  return Write("list remarks", [&](Tx& tx) { return sql::ListRemarks(tx, lease); });
}

Result<void> SqlStore::FinishRun(const Lease& lease, const RunOutcome& outcome) {
  SWAGE_RETURN_IF_ERROR(
      Write("finish run", [&](Tx& tx) { return sql::FinishRun(tx, lease, outcome); }));
  return AnnounceEnd();
}

Result<std::vector<Claimed>> SqlStore::FinishRunAndClaim(const Lease& lease,
                                                         const RunOutcome& outcome,
                                                         std::chrono::milliseconds duration,
                                                         const ClaimLimits& limits) {
  SWAGE_ASSIGN_OR_RETURN(auto claimed,
                         Write("finish run", [&](Tx& tx) -> Result<std::vector<Claimed>> {
                           SWAGE_RETURN_IF_ERROR(sql::FinishRun(tx, lease, outcome));
                           return sql::ClaimTasks(tx, lease.node, duration, limits, 1);
                         }));
  SWAGE_RETURN_IF_ERROR(AnnounceEnd());
  return claimed;
}

Result<void> SqlStore::AnnounceEnd() {
  Announce(Topic::kTasks);  // there is room for another one
  Announce(Topic::kEffects);
  return Ok();
}

Result<std::vector<Effect>> SqlStore::TakeEffects(const TakeRequest& request) {
  return WriteFleeting("take effects", [&](Tx& tx) { return sql::TakeEffects(tx, request); });
}

Result<std::vector<EffectId>> SqlStore::RenewHolds(const std::vector<Effect>& effects,
                                                   std::chrono::milliseconds hold) {
  return WriteFleeting("renew holds", [&](Tx& tx) { return sql::RenewHolds(tx, effects, hold); });
}

Result<void> SqlStore::ReleaseEffects(std::string_view node) {
  return Write("release effects", [&](Tx& tx) { return sql::ReleaseEffects(tx, node); });
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
                                   std::chrono::milliseconds delay, Blame blame) {
  return Write("retry effect",
               [&](Tx& tx) { return sql::RetryEffect(tx, effect, error, delay, blame); });
}

Result<void> SqlStore::FailEffect(const Effect& effect, std::string_view error, bool fail_task) {
  return Write("fail effect",
               [&](Tx& tx) { return sql::FailEffect(tx, effect, error, fail_task); });
}

Result<PaceView> SqlStore::GetPace(std::string_view scope) {
  return Read("get pace",
              [&](Connection& db, WallTime now) { return sql::GetPace(db, now, scope); });
}

Result<std::vector<PaceView>> SqlStore::ListPaces() {
  return Read("list paces", [](Connection& db, WallTime now) { return sql::ListPaces(db, now); });
}

Result<PaceChange> SqlStore::NoteForgeFailure(std::string_view scope, const ForgeFailure& failure,
                                              const PaceRules& rules, double jitter) {
  return Write("note a forge's failure",
               [&](Tx& tx) { return sql::NoteForgeFailure(tx, scope, failure, rules, jitter); });
}

Result<PaceChange> SqlStore::NoteForgeSuccess(std::string_view scope, bool wrote) {
  return Write("note a forge's success",
               [&](Tx& tx) { return sql::NoteForgeSuccess(tx, scope, wrote); });
}

Result<std::chrono::milliseconds> SqlStore::Reserve(std::string_view scope, const Cost& cost,
                                                    const Allowance& allowance) {
  return WriteFleeting("reserve a place for a request",
                       [&](Tx& tx) { return sql::Reserve(tx, scope, cost, allowance); });
}

}  // namespace swage::sql
