// StoreFilter: a Store that passes every operation on, for decorators that treat all of them alike
// (crash points, simulated failures). The one place that lists the operations a second time.
//
// As thread-safe as the store behind it and the derived class.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "pipeline/store/store.h"

namespace swage {

class StoreFilter : public Store {
 public:
  /// `inner` must outlive it.
  explicit StoreFilter(Store& inner) : inner_(inner) {}

  void OnNews(std::function<void(Topic)> tell) override { inner_.OnNews(std::move(tell)); }

  // --- inbox
  Result<bool> AddDelivery(const NewDelivery& delivery) override {
    return Write("AddDelivery", [&] { return inner_.AddDelivery(delivery); });
  }
  Result<std::vector<bool>> AddDeliveries(const std::vector<NewDelivery>& deliveries) override {
    return Write("AddDeliveries", [&] { return inner_.AddDeliveries(deliveries); });
  }
  Result<std::vector<Delivery>> TakeDeliveries(const TakeRequest& request) override {
    return Take("TakeDeliveries", [&] { return inner_.TakeDeliveries(request); });
  }
  Result<void> ReleaseDeliveries(std::string_view node) override {
    return Write("ReleaseDeliveries", [&] { return inner_.ReleaseDeliveries(node); });
  }
  Result<void> DeferDelivery(DeliveryId id, std::string_view error, std::chrono::milliseconds delay,
                             Blame blame) override {
    return Write("DeferDelivery", [&] { return inner_.DeferDelivery(id, error, delay, blame); });
  }
  Result<IntakeResult> ApplyIntake(const IntakePlan& plan) override {
    return Write("ApplyIntake", [&] { return inner_.ApplyIntake(plan); });
  }

  // --- polls, by the clock
  Result<std::optional<PollMark>> GetPoll(std::string_view key) override {
    return Read("GetPoll", [&] { return inner_.GetPoll(key); });
  }
  Result<void> SetPoll(const PollMark& mark) override {
    return Read("SetPoll", [&] { return inner_.SetPoll(mark); });
  }
  Result<void> ForgetPoll(std::string_view key) override {
    return Read("ForgetPoll", [&] { return inner_.ForgetPoll(key); });
  }
  Result<std::vector<PollMark>> ListPolls(std::string_view prefix, int limit) override {
    return Read("ListPolls", [&] { return inner_.ListPolls(prefix, limit); });
  }
  Result<bool> IsObeyed(std::string_view command_key) override {
    return Read("IsObeyed", [&] { return inner_.IsObeyed(command_key); });
  }
  Result<bool> HasDelivery(std::string_view forge, std::string_view key) override {
    return Read("HasDelivery", [&] { return inner_.HasDelivery(forge, key); });
  }
  Result<bool> HasDeliverySince(std::string_view forge, WallTime since) override {
    return Read("HasDeliverySince", [&] { return inner_.HasDeliverySince(forge, since); });
  }
  Result<void> RenameRepo(const RepoRef& repo) override {
    return Write("RenameRepo", [&] { return inner_.RenameRepo(repo); });
  }
  Result<bool> IsByLabel(TaskId task) override {
    return Read("IsByLabel", [&] { return inner_.IsByLabel(task); });
  }
  Result<std::vector<BlockedTask>> ListBlocked(int limit) override {
    return Read("ListBlocked", [&] { return inner_.ListBlocked(limit); });
  }
  Result<Starts> CountStarts(const RepoRef& repo, std::string_view account,
                             std::chrono::milliseconds within) override {
    return Read("CountStarts", [&] { return inner_.CountStarts(repo, account, within); });
  }

  // --- lookups
  Result<Task> GetTask(TaskId id) override {
    return Read("GetTask", [&] { return inner_.GetTask(id); });
  }
  Result<std::optional<Task>> FindTaskByIssue(const RepoRef& repo, std::int64_t issue) override {
    return Read("FindTaskByIssue", [&] { return inner_.FindTaskByIssue(repo, issue); });
  }
  Result<std::optional<Task>> FindTaskByPullRequest(const RepoRef& repo, std::int64_t pr) override {
    return Read("FindTaskByPullRequest", [&] { return inner_.FindTaskByPullRequest(repo, pr); });
  }
  Result<std::vector<Task>> ListTasks(const TaskFilter& filter) override {
    return Read("ListTasks", [&] { return inner_.ListTasks(filter); });
  }
  Result<std::vector<Step>> ListSteps(TaskId task) override {
    return Read("ListSteps", [&] { return inner_.ListSteps(task); });
  }
  Result<std::vector<LedgerFinding>> ListFindings(TaskId task) override {
    return Read("ListFindings", [&] { return inner_.ListFindings(task); });
  }
  Result<std::vector<Remark>> ListSeenRemarks(TaskId task) override {
    return Read("ListSeenRemarks", [&] { return inner_.ListSeenRemarks(task); });
  }
  Result<std::vector<Delegate>> ListDelegates(TaskId task) override {
    return Read("ListDelegates", [&] { return inner_.ListDelegates(task); });
  }
  Result<std::vector<LevelStep>> ListLevels(TaskId task) override {
    return Read("ListLevels", [&] { return inner_.ListLevels(task); });
  }
  Result<std::vector<BlockedHost>> ListBlockedHosts(TaskId task) override {
    return Read("ListBlockedHosts", [&] { return inner_.ListBlockedHosts(task); });
  }
  Result<std::set<Sign>> ListSigns(TaskId task) override {
    return Read("ListSigns", [&] { return inner_.ListSigns(task); });
  }
  Result<std::vector<TimelineEntry>> ListTimeline(TaskId task, std::int64_t after,
                                                  int limit) override {
    return Read("ListTimeline", [&] { return inner_.ListTimeline(task, after, limit); });
  }
  Result<StoreCounts> Counts() override {
    return Read("Counts", [&] { return inner_.Counts(); });
  }

  Result<std::vector<ParkedDelivery>> ListParkedDeliveries(int limit) override {
    return Read("ListParkedDeliveries", [&] { return inner_.ListParkedDeliveries(limit); });
  }
  Result<std::vector<FailedEffect>> ListFailedEffects(int limit) override {
    return Read("ListFailedEffects", [&] { return inner_.ListFailedEffects(limit); });
  }

  // --- audit. Sealing goes by the clock, not by the work, so it is no step of anything.
  Result<void> AppendAudit(const AuditEntry& entry) override {
    return Write("AppendAudit", [&] { return inner_.AppendAudit(entry); });
  }
  Result<int> SealAudit(int limit) override {
    return Read("SealAudit", [&] { return inner_.SealAudit(limit); });
  }
  Result<std::vector<AuditRecord>> ListAudit(std::int64_t after, int limit) override {
    return Read("ListAudit", [&] { return inner_.ListAudit(after, limit); });
  }
  Result<AuditState> GetAuditState() override {
    return Read("GetAuditState", [&] { return inner_.GetAuditState(); });
  }

  // --- claims
  Result<std::vector<Claimed>> ClaimTasks(std::string_view node, std::chrono::milliseconds lease,
                                          const ClaimLimits& limits, int most) override {
    return Take("ClaimTasks", [&] { return inner_.ClaimTasks(node, lease, limits, most); });
  }
  Result<std::vector<TaskId>> RenewLeases(const std::vector<Lease>& leases,
                                          std::chrono::milliseconds duration) override {
    return Read("RenewLeases", [&] { return inner_.RenewLeases(leases, duration); });
  }
  Result<int> ExpireAllLeases() override {
    return Write("ExpireAllLeases", [&] { return inner_.ExpireAllLeases(); });
  }
  Result<int> ExpireLeases(std::string_view node) override {
    return Write("ExpireLeases", [&] { return inner_.ExpireLeases(node); });
  }
  Result<std::vector<Lease>> ListLeases(std::string_view node) override {
    return Read("ListLeases", [&] { return inner_.ListLeases(node); });
  }

  // --- nodes, by the clock as well
  bool SharedByNodes() const override { return inner_.SharedByNodes(); }
  Result<void> Heartbeat(const NodeInfo& node) override {
    return Read("Heartbeat", [&] { return inner_.Heartbeat(node); });
  }
  Result<std::vector<NodeInfo>> ListNodes() override {
    return Read("ListNodes", [&] { return inner_.ListNodes(); });
  }
  Result<void> ForgetNode(std::string_view name, std::string_view instance) override {
    return Write("ForgetNode", [&] { return inner_.ForgetNode(name, instance); });
  }
  Result<SettledLevels> SettleLevels(const LevelSupply& supply) override {
    return Read("SettleLevels", [&] { return inner_.SettleLevels(supply); });
  }
  Result<int> DropOldCheckpoints(std::chrono::milliseconds age, int limit) override {
    return Read("DropOldCheckpoints", [&] { return inner_.DropOldCheckpoints(age, limit); });
  }
  Result<std::unique_ptr<Hold>> TryHold(std::string_view name) override {
    return Read("TryHold", [&] { return inner_.TryHold(name); });
  }

  // --- a worker's writes
  Result<void> SetBase(const Lease& lease, std::string_view base_branch,
                       const CommitSha& base) override {
    return Write(
        "SetBase", [&] { return inner_.SetBase(lease, base_branch, base); }, &lease);
  }
  Result<void> SetStage(const Lease& lease, Stage stage, int cycle) override {
    return Write(
        "SetStage", [&] { return inner_.SetStage(lease, stage, cycle); }, &lease);
  }
  Result<void> SaveCheckpoint(const Lease& lease, const Checkpoint& checkpoint) override {
    return Write(
        "SaveCheckpoint", [&] { return inner_.SaveCheckpoint(lease, checkpoint); }, &lease);
  }
  Result<std::optional<Checkpoint>> LoadCheckpoint(TaskId task) override {
    return Read("LoadCheckpoint", [&] { return inner_.LoadCheckpoint(task); });
  }
  Result<void> AddNote(const Lease& lease, std::string_view text) override {
    return Write(
        "AddNote", [&] { return inner_.AddNote(lease, text); }, &lease);
  }
  Result<void> RaiseLevel(const Lease& lease, const LevelStep& step) override {
    return Write(
        "RaiseLevel", [&] { return inner_.RaiseLevel(lease, step); }, &lease);
  }
  Result<void> AddBlockedHosts(const Lease& lease, const std::vector<BlockedHost>& hosts) override {
    return Write(
        "AddBlockedHosts", [&] { return inner_.AddBlockedHosts(lease, hosts); }, &lease);
  }
  Result<void> AddSigns(const Lease& lease, const std::set<Sign>& signs) override {
    return Write(
        "AddSigns", [&] { return inner_.AddSigns(lease, signs); }, &lease);
  }
  Result<std::int64_t> StartStep(const Lease& lease, const Step& step) override {
    return Write(
        "StartStep", [&] { return inner_.StartStep(lease, step); }, &lease);
  }
  Result<void> FinishStep(const Lease& lease, std::int64_t step_id, std::string_view outcome,
                          std::string_view summary, const CommitSha& commit) override {
    return Write(
        "FinishStep", [&] { return inner_.FinishStep(lease, step_id, outcome, summary, commit); },
        &lease);
  }
  Result<void> FinishCycle(const Lease& lease, const CycleRecord& cycle) override {
    return Write(
        "FinishCycle", [&] { return inner_.FinishCycle(lease, cycle); }, &lease);
  }
  Result<std::vector<Remark>> ListRemarks(const Lease& lease) override {
    return Write(
        "ListRemarks", [&] { return inner_.ListRemarks(lease); }, &lease);
  }
  Result<void> FinishRun(const Lease& lease, const RunOutcome& outcome) override {
    return Write(
        "FinishRun", [&] { return inner_.FinishRun(lease, outcome); }, &lease);
  }
  Result<std::vector<Claimed>> FinishRunAndClaim(const Lease& lease, const RunOutcome& outcome,
                                                 std::chrono::milliseconds duration,
                                                 const ClaimLimits& limits) override {
    return Write(
        "FinishRunAndClaim",
        [&] { return inner_.FinishRunAndClaim(lease, outcome, duration, limits); }, &lease);
  }

  // --- outbox
  Result<std::vector<Effect>> TakeEffects(const TakeRequest& request) override {
    return Take("TakeEffects", [&] { return inner_.TakeEffects(request); });
  }
  Result<std::vector<EffectId>> RenewHolds(const std::vector<Effect>& effects,
                                           std::chrono::milliseconds hold) override {
    return Read("RenewHolds", [&] { return inner_.RenewHolds(effects, hold); });
  }
  Result<void> ReleaseEffects(std::string_view node) override {
    return Write("ReleaseEffects", [&] { return inner_.ReleaseEffects(node); });
  }
  Result<void> AddEffects(const std::vector<NewEffect>& effects) override {
    return Write("AddEffects", [&] { return inner_.AddEffects(effects); });
  }
  Result<void> FinishEffect(const Effect& effect, std::string_view result,
                            const PublishedFacts& facts) override {
    return Write("FinishEffect", [&] { return inner_.FinishEffect(effect, result, facts); });
  }
  Result<void> RetryEffect(const Effect& effect, std::string_view error,
                           std::chrono::milliseconds delay, Blame blame) override {
    return Write("RetryEffect", [&] { return inner_.RetryEffect(effect, error, delay, blame); });
  }
  Result<void> FailEffect(const Effect& effect, std::string_view error, bool fail_task) override {
    return Write("FailEffect", [&] { return inner_.FailEffect(effect, error, fail_task); });
  }

  // --- paces
  Result<PaceView> GetPace(std::string_view scope) override {
    return Read("GetPace", [&] { return inner_.GetPace(scope); });
  }
  Result<std::vector<PaceView>> ListPaces() override {
    return Read("ListPaces", [&] { return inner_.ListPaces(); });
  }
  Result<PaceChange> NoteForgeFailure(std::string_view scope, const ForgeFailure& failure,
                                      const PaceRules& rules, double jitter) override {
    return Write("NoteForgeFailure",
                 [&] { return inner_.NoteForgeFailure(scope, failure, rules, jitter); });
  }
  Result<PaceChange> NoteForgeSuccess(std::string_view scope, bool wrote) override {
    return Read("NoteForgeSuccess", [&] { return inner_.NoteForgeSuccess(scope, wrote); });
  }
  Result<std::chrono::milliseconds> Reserve(std::string_view scope, const Cost& cost,
                                            const Allowance& allowance) override {
    return Read("Reserve", [&] { return inner_.Reserve(scope, cost, allowance); });
  }

 protected:
  enum class Access {
    kRead,
    kWrite,
    kNothingTaken,  ///< it would have written, had there been something to take
  };
  struct Operation {
    std::string_view name;  ///< of the method
    Access access = Access::kRead;
    const Lease* lease = nullptr;  ///< that it was done with, if any
    const Error* error = nullptr;  ///< After: what the store answered, if that was an error
  };
  /// An error here becomes the operation's result, and the store behind hears nothing of it.
  virtual std::optional<Error> Before(const Operation&) { return std::nullopt; }
  /// An error here takes the place of the result of what has happened.
  virtual std::optional<Error> After(const Operation&) { return std::nullopt; }

 private:
  template <class Call>
  auto Pass(Operation operation, Call&& call) -> decltype(call()) {
    if (auto error = Before(operation)) return *std::move(error);
    auto result = call();
    if (!result.ok()) operation.error = &result.error();
    if (auto error = After(operation)) return *std::move(error);
    return result;
  }
  template <class Call>
  auto Read(std::string_view name, Call&& call) -> decltype(call()) {
    return Pass({name, Access::kRead}, std::forward<Call>(call));
  }
  template <class Call>
  auto Write(std::string_view name, Call&& call, const Lease* lease = nullptr) -> decltype(call()) {
    return Pass({name, Access::kWrite, lease}, std::forward<Call>(call));
  }
  /// For polls that mostly find nothing; what they find is an optional or a list.
  template <class Call>
  auto Take(std::string_view name, Call&& call) -> decltype(call()) {
    Operation operation{name, Access::kWrite};
    if (auto error = Before(operation)) return *std::move(error);
    auto result = call();
    if (!result.ok()) {
      operation.error = &result.error();
    } else if (IsEmpty(*result)) {
      operation.access = Access::kNothingTaken;
    }
    if (auto error = After(operation)) return *std::move(error);
    return result;
  }
  template <class T>
  static bool IsEmpty(const std::optional<T>& found) {
    return !found.has_value();
  }
  template <class T>
  static bool IsEmpty(const std::vector<T>& found) {
    return found.empty();
  }

  Store& inner_;
};

}  // namespace swage
