// RepoPoll: one repository, asked what changed since the last time; what it finds goes through the
// same gate as a webhook. Cursors and ETags are rows, so a restart goes on where it was.
//
// Blocks on the network; one thread at a time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "forge/forge.h"
#include "pipeline/intake_gate.h"
#include "pipeline/reconcile/budget.h"
#include "pipeline/store/store.h"

namespace swage {

/// What the rest of the service does when a poll changed something.
struct PollHooks {
  std::function<void()> on_applied = [] {};
  std::function<void(TaskId)> on_cancelled = [](TaskId) {};
  /// Whether the branch of a task, which is not what the store remembers pushing, is all the bot's
  /// own: the store is older than it (X29). Asks the forge's git.
  std::function<Result<bool>(Forge&, const Task&, std::stop_token)> is_own =
      [](Forge&, const Task&, std::stop_token) -> Result<bool> { return false; };
};

class RepoPoll {
 public:
  /// Changes are asked for from this much before the last one on: forges' lists are made from
  /// replicas, and an older change may show after a newer one.
  static constexpr std::chrono::seconds kOverlap{60};
  /// Forges tell times by the second: until the second of the newest change is over, a further
  /// change may leave the list, and its ETag, as they are.
  static constexpr std::chrono::seconds kSettled{2};

  RepoPoll(Store& store, IntakeGate& gate, const Clock& clock, Log& log, PollHooks hooks)
      : store_(store), gate_(gate), clock_(clock), log_(log), hooks_(std::move(hooks)) {}

  /// Returns of how many events something came. The first round of a repository (as many as the
  /// budget asks for) takes up its open labelled issues and its tasks, and none of its comments.
  /// Errors: the forge's or the store's; the next round finds what this one left.
  Result<int> Round(Forge& forge, const RepoRef& repo, Budget& budget);
  /// A task whose issue or pull request may be gone without a trace in any list. As Round.
  Result<int> Check(Forge& forge, const Task& task, Budget& budget);

 private:
  struct Marks {
    PollMark changes;   ///< cursor: complete until there; etag: of the question from there
    PollMark comments;  ///< cursor: likewise; etag: the instant from which on comments count
  };
  Result<std::optional<Marks>> ReadMarks(const RepoRef& repo);
  Result<WallTime> BeginningOf(Forge& forge, const RepoRef& repo, Budget& budget);
  Result<int> FirstRound(Forge& forge, const RepoRef& repo, Budget& budget);
  Result<int> FirstIssues(Forge& forge, const RepoRef& repo, Budget& budget);
  Result<int> FirstTasks(Forge& forge, const RepoRef& repo, Budget& budget);
  /// How far a round has come with a page of changes.
  struct Progress {
    std::size_t done = 0;            ///< changes
    std::optional<WallTime> said;    ///< comments are read until here, of the changes that are done
    std::optional<WallTime> cut_at;  ///< there were more comments than fit
  };
  Result<int> TakePortion(Forge& forge, const RepoRef& repo, const ChangePage& page,
                          const PollMark& comments, Budget& budget, Progress& progress);
  Result<int> TakeComments(Forge& forge, const RepoRef& repo, const ChangePage& page,
                           const std::vector<ThreadChange>& portion, const PollMark& mark,
                           Budget& budget, Progress& progress);
  Result<void> SaveMarks(const Marks& marks, const ChangePage& page, const Progress& progress);
  Result<int> TakeThread(Forge& forge, const RepoRef& repo, const ThreadChange& change,
                         Budget& budget);
  Result<int> TakeIssue(Forge& forge, const RepoRef& repo, const Issue& issue, Budget& budget);
  Result<int> TakePull(Forge& forge, const RepoRef& repo, std::int64_t number, Budget& budget);
  Result<int> TakeReviews(Forge& forge, const Task& task, Budget& budget);
  Result<bool> IsOwn(Forge& forge, const Task& task, const Budget& budget);
  Result<int> GiveUp(const Event& event, const Error& error);
  Result<int> Settle(Forge& forge, const Event& event, Budget& budget);

  Store& store_;
  IntakeGate& gate_;
  const Clock& clock_;
  Log& log_;
  PollHooks hooks_;
  /// A first round, which may take several: what it has considered counts as of its beginning.
  struct Begun {
    std::optional<WallTime> at;
    std::set<std::int64_t> considered;  ///< issues; tasks as negative numbers
  };
  std::map<std::string, Begun> begun_;  ///< by repository
};

}  // namespace swage
