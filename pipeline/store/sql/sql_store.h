// SqlStore: the operations as methods of a Store, each one transaction or one read; the engines say
// what a transaction is. Only the bodies of deliveries are left to them, which each keeps in its
// own way.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "pipeline/store/sql/operations.h"
#include "pipeline/store/store.h"

namespace swage::sql {

class SqlStore : public Store {
 public:
  Result<bool> AddDelivery(const NewDelivery& delivery) final;
  Result<IntakeResult> ApplyIntake(const IntakePlan& plan) override;
  Result<void> ReleaseDeliveries(std::string_view node) final;
  Result<void> DeferDelivery(DeliveryId id, std::string_view error, std::chrono::milliseconds delay,
                             Blame blame) final;

  Result<std::optional<PollMark>> GetPoll(std::string_view key) final;
  Result<void> SetPoll(const PollMark& mark) final;
  Result<void> ForgetPoll(std::string_view key) final;
  Result<std::vector<PollMark>> ListPolls(std::string_view prefix, int limit) final;
  Result<bool> IsObeyed(std::string_view command_key) final;
  Result<bool> HasDelivery(std::string_view forge, std::string_view key) final;
  Result<bool> HasDeliverySince(std::string_view forge, WallTime since) final;
  Result<void> RenameRepo(const RepoRef& repo) final;
  Result<bool> IsByLabel(TaskId task) final;
  Result<std::vector<BlockedTask>> ListBlocked(int limit) final;
  Result<Starts> CountStarts(const RepoRef& repo, std::string_view account,
                             std::chrono::milliseconds within) final;

  Result<Task> GetTask(TaskId id) final;
  Result<std::optional<Task>> FindTaskByIssue(const RepoRef& repo, std::int64_t issue) final;
  Result<std::optional<Task>> FindTaskByPullRequest(const RepoRef& repo, std::int64_t pr) final;
  Result<std::vector<Task>> ListTasks(const TaskFilter& filter) final;
  Result<std::vector<Step>> ListSteps(TaskId task) final;
  Result<std::vector<LedgerFinding>> ListFindings(TaskId task) final;
  Result<std::vector<Remark>> ListSeenRemarks(TaskId task) final;
  Result<std::vector<Delegate>> ListDelegates(TaskId task) final;
  Result<std::vector<LevelStep>> ListLevels(TaskId task) final;
  Result<std::vector<BlockedHost>> ListBlockedHosts(TaskId task) final;
  Result<std::set<Sign>> ListSigns(TaskId task) final;
  Result<std::vector<TimelineEntry>> ListTimeline(TaskId task, std::int64_t after, int limit) final;
  Result<StoreCounts> Counts() override;
  Result<std::vector<ParkedDelivery>> ListParkedDeliveries(int limit) final;
  Result<std::vector<FailedEffect>> ListFailedEffects(int limit) final;
  Result<void> AppendAudit(const AuditEntry& entry) final;
  Result<int> SealAudit(int limit) final;
  Result<std::vector<AuditRecord>> ListAudit(std::int64_t after, int limit) final;
  Result<AuditState> GetAuditState() final;
  Result<std::vector<Claimed>> ClaimTasks(std::string_view node, std::chrono::milliseconds lease,
                                          const ClaimLimits& limits, int most) override;
  Result<std::vector<TaskId>> RenewLeases(const std::vector<Lease>& leases,
                                          std::chrono::milliseconds duration) final;
  Result<int> ExpireAllLeases() final;
  Result<int> ExpireLeases(std::string_view node) final;
  Result<std::vector<Lease>> ListLeases(std::string_view node) final;
  Result<void> Heartbeat(const NodeInfo& node) final;
  Result<std::vector<NodeInfo>> ListNodes() final;
  Result<void> ForgetNode(std::string_view name, std::string_view instance) final;
  Result<SettledLevels> SettleLevels(const LevelSupply& supply) final;
  Result<void> SetBase(const Lease& lease, std::string_view branch, const CommitSha& base) final;
  Result<void> SetStage(const Lease& lease, Stage stage, int cycle) final;
  Result<void> SaveCheckpoint(const Lease& lease, const Checkpoint& checkpoint) final;
  Result<std::optional<Checkpoint>> LoadCheckpoint(TaskId task) final;
  Result<int> DropOldCheckpoints(std::chrono::milliseconds age, int limit) final;
  Result<void> AddNote(const Lease& lease, std::string_view text) final;
  Result<void> RaiseLevel(const Lease& lease, const LevelStep& step) final;
  Result<void> AddBlockedHosts(const Lease& lease, const std::vector<BlockedHost>& hosts) final;
  Result<void> AddSigns(const Lease& lease, const std::set<Sign>& signs) final;
  Result<std::int64_t> StartStep(const Lease& lease, const Step& step) final;
  Result<void> FinishStep(const Lease& lease, std::int64_t step_id, std::string_view outcome,
                          std::string_view summary, const CommitSha& commit) final;
  Result<void> FinishCycle(const Lease& lease, const CycleRecord& cycle) final;
  Result<std::vector<Remark>> ListRemarks(const Lease& lease) final;
  Result<void> FinishRun(const Lease& lease, const RunOutcome& outcome) override;
  Result<std::vector<Claimed>> FinishRunAndClaim(const Lease& lease, const RunOutcome& outcome,
                                                 std::chrono::milliseconds duration,
                                                 const ClaimLimits& limits) override;
  Result<std::vector<Effect>> TakeEffects(const TakeRequest& request) override;
  Result<std::vector<EffectId>> RenewHolds(const std::vector<Effect>& effects,
                                           std::chrono::milliseconds hold) final;
  Result<void> ReleaseEffects(std::string_view node) final;
  Result<void> AddEffects(const std::vector<NewEffect>& effects) final;
  Result<void> FinishEffect(const Effect& effect, std::string_view result,
                            const PublishedFacts& facts) final;
  Result<void> RetryEffect(const Effect& effect, std::string_view error,
                           std::chrono::milliseconds delay, Blame blame) final;
  Result<void> FailEffect(const Effect& effect, std::string_view error, bool fail_task) final;
  Result<PaceView> GetPace(std::string_view scope) final;
  Result<std::vector<PaceView>> ListPaces() final;
  Result<PaceChange> NoteForgeFailure(std::string_view scope, const ForgeFailure& failure,
                                      const PaceRules& rules, double jitter) final;
  Result<PaceChange> NoteForgeSuccess(std::string_view scope, bool wrote) final;
  Result<std::chrono::milliseconds> Reserve(std::string_view scope, const Cost& cost,
                                            const Allowance& allowance) final;

 protected:
  using Writes = std::function<Result<void>(Tx&)>;
  using Reads = std::function<Result<void>(Connection&, WallTime engine_now)>;

  /// One transaction; ok means that it is durable. An engine may run `work` again when nothing of
  /// its last run was kept, so it touches nothing but the database and its own result.
  virtual Result<void> RunWrite(const Writes& work) = 0;
  virtual Result<void> RunRead(const Reads& work) = 0;
  /// As RunWrite, for what nobody misses after a power cut: who holds what, for the next seconds.
  virtual Result<void> RunFleeting(const Writes& work) { return RunWrite(work); }
  /// After a transaction that may have given work to others.
  virtual void Announce(Topic topic) { (void)topic; }

  /// What others may do once a run has ended.
  Result<void> AnnounceEnd();

  /// `what` stands before the message of an error.
  template <class Work>
  auto Write(std::string_view what, Work&& work) -> std::invoke_result_t<Work, Tx&> {
    return Changed(what, work, [this](const Writes& writes) { return RunWrite(writes); });
  }

  template <class Work>
  auto WriteFleeting(std::string_view what, Work&& work) -> std::invoke_result_t<Work, Tx&> {
    return Changed(what, work, [this](const Writes& writes) { return RunFleeting(writes); });
  }

  template <class Work>
  auto Read(std::string_view what, Work&& work)
      -> std::invoke_result_t<Work, Connection&, WallTime> {
    std::invoke_result_t<Work, Connection&, WallTime> outcome = NotRun();
    const Result<void> done = RunRead([&](Connection& db, WallTime engine_now) -> Result<void> {
      outcome = work(db, engine_now);
      if (outcome.ok()) return Ok();
      return outcome.error();
    });
    if (!done.ok()) return done.error().With(what);
    return outcome;
  }

 private:
  template <class Work, class Run>
  auto Changed(std::string_view what, Work& work, Run run) -> std::invoke_result_t<Work&, Tx&> {
    std::invoke_result_t<Work&, Tx&> outcome = NotRun();
    const Result<void> done = run([&](Tx& tx) -> Result<void> {
      outcome = work(tx);
      if (outcome.ok()) return Ok();
      return outcome.error();
    });
    if (!done.ok()) return done.error().With(what);
    return outcome;
  }

  static Error NotRun() { return MakeError(ErrorCode::kInternal, "it did not run"); }
};

}  // namespace swage::sql
