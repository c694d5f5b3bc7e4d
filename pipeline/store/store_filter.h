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
  Result<std::vector<Delivery>> PendingDeliveries(int limit) override {
    return Read("PendingDeliveries", [&] { return inner_.PendingDeliveries(limit); });
  }
  Result<void> DeferDelivery(DeliveryId id, std::string_view error,
                             std::chrono::milliseconds delay) override {
    return Write("DeferDelivery", [&] { return inner_.DeferDelivery(id, error, delay); });
  }
  Result<IntakeResult> ApplyIntake(const IntakePlan& plan) override {
    return Write("ApplyIntake", [&] { return inner_.ApplyIntake(plan); });
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
  Result<std::vector<TimelineEntry>> ListTimeline(TaskId task, std::int64_t after,
                                                  int limit) override {
    return Read("ListTimeline", [&] { return inner_.ListTimeline(task, after, limit); });
  }
  Result<StoreCounts> Counts() override {
    return Read("Counts", [&] { return inner_.Counts(); });
  }

  // --- claims
  Result<std::optional<Claimed>> ClaimTask(std::string_view node, std::chrono::milliseconds lease,
                                           const ClaimLimits& limits) override {
    return Take("ClaimTask", [&] { return inner_.ClaimTask(node, lease, limits); });
  }
  Result<void> RenewLease(const Lease& lease, std::chrono::milliseconds duration) override {
    return Write(
        "RenewLease", [&] { return inner_.RenewLease(lease, duration); }, &lease);
  }
  Result<int> ExpireAllLeases() override {
    return Write("ExpireAllLeases", [&] { return inner_.ExpireAllLeases(); });
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
  Result<void> SaveCheckpoint(const Lease& lease, const CommitSha& commit) override {
    return Write(
        "SaveCheckpoint", [&] { return inner_.SaveCheckpoint(lease, commit); }, &lease);
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
  Result<std::vector<std::string>> ListRemarks(const Lease& lease) override {
    return Write(
        "ListRemarks", [&] { return inner_.ListRemarks(lease); }, &lease);
  }
  Result<void> FinishRun(const Lease& lease, const RunOutcome& outcome) override {
    return Write(
        "FinishRun", [&] { return inner_.FinishRun(lease, outcome); }, &lease);
  }

  // --- outbox
  Result<std::vector<Effect>> DueEffects(int limit) override {
    return Read("DueEffects", [&] { return inner_.DueEffects(limit); });
  }
  Result<void> AddEffects(const std::vector<NewEffect>& effects) override {
    return Write("AddEffects", [&] { return inner_.AddEffects(effects); });
  }
  Result<void> FinishEffect(const Effect& effect, std::string_view result,
                            const PublishedFacts& facts) override {
    return Write("FinishEffect", [&] { return inner_.FinishEffect(effect, result, facts); });
  }
  Result<void> RetryEffect(const Effect& effect, std::string_view error,
                           std::chrono::milliseconds delay) override {
    return Write("RetryEffect", [&] { return inner_.RetryEffect(effect, error, delay); });
  }
  Result<void> FailEffect(const Effect& effect, std::string_view error, bool fail_task) override {
    return Write("FailEffect", [&] { return inner_.FailEffect(effect, error, fail_task); });
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
