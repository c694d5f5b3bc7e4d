// DependencyWatch: queues the tasks whose issues have all been closed (A13).
//
// Asks the forge about each issue once in a round; one that is gone holds nothing up.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "config/base/log.h"
#include "pipeline/maintenance/duty.h"
#include "pipeline/publisher.h"
#include "pipeline/store/store.h"

namespace swage {

class DependencyWatch final : public Duty {
 public:
  static constexpr int kMaxPairs = 2'000;    ///< of task and issue, looked at in one round
  static constexpr int kMaxQuestions = 200;  ///< to the forges in one round

  /// `on_queued` must not block.
  DependencyWatch(Store& store, ForgeLookup forges, Log& log, std::function<void()> on_queued)
      : store_(store), forges_(std::move(forges)), log_(log), on_queued_(std::move(on_queued)) {}

  std::string_view Name() const override { return "watch-dependencies"; }
  Result<void> RunOnce(std::stop_token stop) override;

 private:
  /// Of a repository's issue: whether it is open, as asked in this round.
  using Answers = std::map<std::string, bool>;
  Result<bool> IsBlocked(const BlockedTask& task, Answers& answers);
  Result<bool> IsOpen(const RepoRef& repo, std::int64_t issue, Answers& answers);
  Result<void> Queue(const BlockedTask& task);

  Store& store_;
  ForgeLookup forges_;
  Log& log_;
  std::function<void()> on_queued_;
};

}  // namespace swage
