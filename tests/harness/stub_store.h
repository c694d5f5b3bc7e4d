// StubStore: a Store of which every operation fails; a test overrides the few that it is about.
#pragma once

#include <string>

#include "pipeline/store/store.h"

namespace swage {

class StubStore : public Store {
 public:
  Result<bool> AddDelivery(const NewDelivery&) override { return Unexpected("AddDelivery"); }
  Result<std::vector<bool>> AddDeliveries(const std::vector<NewDelivery>&) override {
    return Unexpected("AddDeliveries");
  }
  Result<std::vector<Delivery>> TakeDeliveries(const TakeRequest&) override {
    return Unexpected("TakeDeliveries");
  }
  Result<void> ReleaseDeliveries(std::string_view) override {
    return Unexpected("ReleaseDeliveries");
  }
  Result<void> DeferDelivery(DeliveryId, std::string_view, std::chrono::milliseconds,
                             Blame) override {
    return Unexpected("DeferDelivery");
  }
  Result<IntakeResult> ApplyIntake(const IntakePlan&) override { return Unexpected("ApplyIntake"); }
  Result<std::optional<PollMark>> GetPoll(std::string_view) override {
    return Unexpected("GetPoll");
  }
  Result<void> SetPoll(const PollMark&) override { return Unexpected("SetPoll"); }
  Result<void> ForgetPoll(std::string_view) override { return Unexpected("ForgetPoll"); }
  Result<std::vector<PollMark>> ListPolls(std::string_view, int) override {
    return Unexpected("ListPolls");
  }
  Result<bool> IsObeyed(std::string_view) override { return Unexpected("IsObeyed"); }
  Result<bool> HasDelivery(std::string_view, std::string_view) override {
    return Unexpected("HasDelivery");
  }
  Result<bool> HasDeliverySince(std::string_view, WallTime) override {
    return Unexpected("HasDeliverySince");
  }
  Result<void> RenameRepo(const RepoRef&) override { return Unexpected("RenameRepo"); }
  Result<bool> IsByLabel(TaskId) override { return Unexpected("IsByLabel"); }
  Result<Task> GetTask(TaskId) override { return Unexpected("GetTask"); }
  Result<std::optional<Task>> FindTaskByIssue(const RepoRef&, std::int64_t) override {
    return Unexpected("FindTaskByIssue");
  }
  Result<std::optional<Task>> FindTaskByPullRequest(const RepoRef&, std::int64_t) override {
    return Unexpected("FindTaskByPullRequest");
  }
  Result<std::vector<Task>> ListTasks(const TaskFilter&) override {
    return Unexpected("ListTasks");
  }
  Result<std::vector<Step>> ListSteps(TaskId) override { return Unexpected("ListSteps"); }
  Result<std::vector<LedgerFinding>> ListFindings(TaskId) override {
    return Unexpected("ListFindings");
  }
  Result<std::vector<Remark>> ListSeenRemarks(TaskId) override {
    return Unexpected("ListSeenRemarks");
  }
  Result<std::vector<Delegate>> ListDelegates(TaskId) override {
    return Unexpected("ListDelegates");
  }
  Result<std::vector<TimelineEntry>> ListTimeline(TaskId, std::int64_t, int) override {
    return Unexpected("ListTimeline");
  }
  Result<StoreCounts> Counts() override { return Unexpected("Counts"); }
  Result<std::vector<ParkedDelivery>> ListParkedDeliveries(int) override {
    return Unexpected("ListParkedDeliveries");
  }
  Result<std::vector<FailedEffect>> ListFailedEffects(int) override {
    return Unexpected("ListFailedEffects");
  }
  Result<void> AppendAudit(const AuditEntry&) override { return Unexpected("AppendAudit"); }
  Result<int> SealAudit(int) override { return Unexpected("SealAudit"); }
  Result<std::vector<AuditRecord>> ListAudit(std::int64_t, int) override {
    return Unexpected("ListAudit");
  }
  Result<AuditState> GetAuditState() override { return Unexpected("GetAuditState"); }
  Result<std::vector<Claimed>> ClaimTasks(std::string_view, std::chrono::milliseconds,
                                          const ClaimLimits&, int) override {
    return Unexpected("ClaimTasks");
  }
  Result<std::vector<TaskId>> RenewLeases(const std::vector<Lease>&,
                                          std::chrono::milliseconds) override {
    return Unexpected("RenewLeases");
  }
  Result<int> ExpireAllLeases() override { return Unexpected("ExpireAllLeases"); }
  Result<int> ExpireLeases(std::string_view) override { return Unexpected("ExpireLeases"); }
  Result<std::vector<Lease>> ListLeases(std::string_view) override {
    return Unexpected("ListLeases");
  }
  bool SharedByNodes() const override { return false; }
  Result<void> Heartbeat(const NodeInfo&) override { return Unexpected("Heartbeat"); }
  Result<std::vector<NodeInfo>> ListNodes() override { return Unexpected("ListNodes"); }
  Result<void> ForgetNode(std::string_view, std::string_view) override {
    return Unexpected("ForgetNode");
  }
  Result<SettledLevels> SettleLevels(const LevelSupply&) override {
    return Unexpected("SettleLevels");
  }
  Result<std::unique_ptr<Hold>> TryHold(std::string_view) override { return Unexpected("TryHold"); }
  Result<void> SetBase(const Lease&, std::string_view, const CommitSha&) override {
    return Unexpected("SetBase");
  }
  Result<void> SetStage(const Lease&, Stage, int) override { return Unexpected("SetStage"); }
  Result<void> SaveCheckpoint(const Lease&, const Checkpoint&) override {
    return Unexpected("SaveCheckpoint");
  }
  Result<std::optional<Checkpoint>> LoadCheckpoint(TaskId) override {
    return Unexpected("LoadCheckpoint");
  }
  Result<int> DropOldCheckpoints(std::chrono::milliseconds, int) override {
    return Unexpected("DropOldCheckpoints");
  }
  Result<void> AddNote(const Lease&, std::string_view) override { return Unexpected("AddNote"); }
  Result<void> RaiseLevel(const Lease&, const LevelStep&) override {
    return Unexpected("RaiseLevel");
  }
  Result<void> AddBlockedHosts(const Lease&, const std::vector<BlockedHost>&) override {
    return Unexpected("AddBlockedHosts");
  }
  Result<void> AddSigns(const Lease&, const std::set<Sign>&) override {
    return Unexpected("AddSigns");
  }
  Result<std::vector<LevelStep>> ListLevels(TaskId) override { return Unexpected("ListLevels"); }
  Result<std::vector<BlockedHost>> ListBlockedHosts(TaskId) override {
    return Unexpected("ListBlockedHosts");
  }
  Result<std::vector<BlockedTask>> ListBlocked(int) override { return Unexpected("ListBlocked"); }
  Result<Starts> CountStarts(const RepoRef&, std::string_view, std::chrono::milliseconds) override {
    return Unexpected("CountStarts");
  }
  Result<std::set<Sign>> ListSigns(TaskId) override { return Unexpected("ListSigns"); }
  Result<std::int64_t> StartStep(const Lease&, const Step&) override {
    return Unexpected("StartStep");
  }
  Result<void> FinishStep(const Lease&, std::int64_t, std::string_view, std::string_view,
                          const CommitSha&) override {
    return Unexpected("FinishStep");
  }
  Result<void> FinishCycle(const Lease&, const CycleRecord&) override {
    return Unexpected("FinishCycle");
  }
  Result<std::vector<Remark>> ListRemarks(const Lease&) override {
    return Unexpected("ListRemarks");
  }
  Result<void> FinishRun(const Lease&, const RunOutcome&) override {
    return Unexpected("FinishRun");
  }
  Result<std::vector<Claimed>> FinishRunAndClaim(const Lease&, const RunOutcome&,
                                                 std::chrono::milliseconds,
                                                 const ClaimLimits&) override {
    return Unexpected("FinishRunAndClaim");
  }
  Result<std::vector<Effect>> TakeEffects(const TakeRequest&) override {
    return Unexpected("TakeEffects");
  }
  Result<std::vector<EffectId>> RenewHolds(const std::vector<Effect>&,
                                           std::chrono::milliseconds) override {
    return Unexpected("RenewHolds");
  }
  Result<void> ReleaseEffects(std::string_view) override { return Unexpected("ReleaseEffects"); }
  Result<void> AddEffects(const std::vector<NewEffect>&) override {
    return Unexpected("AddEffects");
  }
  Result<void> FinishEffect(const Effect&, std::string_view, const PublishedFacts&) override {
    return Unexpected("FinishEffect");
  }
  Result<void> RetryEffect(const Effect&, std::string_view, std::chrono::milliseconds,
                           Blame) override {
    return Unexpected("RetryEffect");
  }
  Result<void> FailEffect(const Effect&, std::string_view, bool) override {
    return Unexpected("FailEffect");
  }
  Result<PaceView> GetPace(std::string_view) override { return Unexpected("GetPace"); }
  Result<std::vector<PaceView>> ListPaces() override { return Unexpected("ListPaces"); }
  Result<PaceChange> NoteForgeFailure(std::string_view, const ForgeFailure&, const PaceRules&,
                                      double) override {
    return Unexpected("NoteForgeFailure");
  }
  Result<PaceChange> NoteForgeSuccess(std::string_view, bool) override {
    return Unexpected("NoteForgeSuccess");
  }
  Result<std::chrono::milliseconds> Reserve(std::string_view, const Cost&,
                                            const Allowance&) override {
    return Unexpected("Reserve");
  }

 private:
  static Error Unexpected(const char* operation) {
    return MakeError(ErrorCode::kInternal, std::string("StubStore: unexpected ") + operation);
  }
};

}  // namespace swage
