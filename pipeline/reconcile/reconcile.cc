#include "pipeline/reconcile/reconcile.h"

#include <algorithm>
#include <map>
#include <string>

#include "config/base/contain.h"

namespace swage {
namespace {

constexpr int kMaxChecked = 100;
constexpr int kMaxDoublings = 10;
// Patience of the alarm, in rounds: five minutes with the usual interval.
constexpr int kSilentRounds = 10;

// The forge as a whole is out of reach; anything else is one repository's matter.
bool ConcernsTheForge(ErrorCode code) {
  switch (code) {
    case ErrorCode::kRateLimited:
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kInternal:
    case ErrorCode::kCancelled:
      return true;
    case ErrorCode::kInvalid:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kDenied:
    case ErrorCode::kLeaseLost:
    case ErrorCode::kTooLarge:
      return false;
  }
  return false;
}

bool IsDue(MonotonicTime last, std::chrono::milliseconds every, MonotonicTime now) {
  return last == MonotonicTime{} || now >= last + every;
}

}  // namespace

Reconcile::Reconcile(Store& store, ForgeLookup forges, const Settings& settings, const Clock& clock,
                     Log& log, PollHooks hooks)
    : store_(store),
      forges_(std::move(forges)),
      settings_(settings),
      clock_(clock),
      log_(log),
      gate_(store, forges_, settings),
      roster_(store, clock, log),
      poll_(store, gate_, clock, log, hooks),
      scan_(store, log),
      silence_(store, clock, log, settings.poll_interval * kSilentRounds),
      hooks_(std::move(hooks)) {}

Result<void> Reconcile::RunOnce(std::stop_token stop) {
  PollAll(std::move(stop));
  return Ok();
}

int Reconcile::PollAll(std::stop_token stop) {
  int found = 0;
  for (const ForgeSettings& settings : settings_.forges) {
    Forge* const forge = forges_(settings.name);
    ForgeState& state = states_[settings.name];
    const bool silent = forge == nullptr || forge->Feed() == nullptr;
    if (silent || stop.stop_requested() || clock_.Monotonic() < state.paused_until) continue;
    const Result<int> polled = Contain([&] { return Poll(*forge, settings, state, stop); });
    if (polled.ok()) {
      state.failures = 0;
      found += *polled;
    } else {
      BackOff(*forge, state, polled.error());
    }
  }
  return found;
}

Result<int> Reconcile::Poll(Forge& forge, const ForgeSettings& settings, ForgeState& state,
                            std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<RepoRef> repos, roster_.Of(forge, settings));
  Budget budget(kQuestions, stop);
  int found = 0;
  int polled = 0;
  // A forge may count its limits per owner: one's must not hold back the others.
  std::map<std::string, Error> resting;
  for (std::size_t i = 0; i < repos.size(); ++i) {
    if (budget.IsSpent()) break;
    const RepoRef& repo = repos[state.next++ % repos.size()];
    const std::string owner = repo.path.substr(0, repo.path.find('/'));
    if (resting.contains(owner)) continue;
    const Result<int> some = PollRepo(forge, repo, state, budget);
    if (!some.ok() && some.error().code == ErrorCode::kRateLimited) {
      resting.emplace(owner, some.error());
      continue;
    }
    ++polled;
    if (!some.ok() && ConcernsTheForge(some.error().code)) return some.error();
    std::string& refused = state.refused[repo.id];
    if (!some.ok() && refused != some.error().message) {
      log_.Warn("a repository cannot be polled",
                {{"forge", forge.Name()}, {"repo", repo.path}, {"error", some.error().message}});
    }
    refused = some.ok() ? "" : some.error().message;
    if (!some.ok()) continue;
    found += *some;
    state.failures = 0;
  }
  if (polled == 0 && !resting.empty()) return resting.begin()->second;
  SWAGE_ASSIGN_OR_RETURN(const int missing, CheckRunning(forge, state, stop));
  found += missing;
  // Without webhooks nobody misses them, and an alarm of another time is over.
  if (settings_.intake == "both") {
    SWAGE_RETURN_IF_ERROR(silence_.Note(forge.Name(), found));
  } else if (!state.begun) {
    SWAGE_RETURN_IF_ERROR(silence_.Forget(forge.Name()));
  }
  state.begun = true;
  return found;
}

Result<int> Reconcile::PollRepo(Forge& forge, const RepoRef& repo, ForgeState& state,
                                Budget& budget) {
  SWAGE_ASSIGN_OR_RETURN(const int found, poll_.Round(forge, repo, budget));
  MonotonicTime& scanned = state.scanned[repo.id];
  const bool due = settings_.intake == "both" && forge.Feed()->KeepsDeliveries() &&
                   IsDue(scanned, kScanEvery, clock_.Monotonic());
  if (!due || budget.IsSpent()) return found;
  SWAGE_ASSIGN_OR_RETURN(const int recovered, scan_.Run(forge, repo, budget));
  scanned = clock_.Monotonic();
  if (recovered > 0) hooks_.on_applied();
  return found;
}

// A deleted or transferred issue is in no list of changes.
Result<int> Reconcile::CheckRunning(Forge& forge, ForgeState& state, std::stop_token stop) {
  if (clock_.Monotonic() < state.check_again) return 0;
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Task> tasks,
                         store_.ListTasks({TaskState::kRunning, "", kMaxChecked}));
  Budget budget(kQuestions, std::move(stop));
  int found = 0;
  int asked = 0;
  for (const Task& task : tasks) {
    if (task.repo.forge != forge.Name()) continue;
    ++asked;
    const Result<int> some = poll_.Check(forge, task, budget);
    if (!some.ok() && some.error().code == ErrorCode::kRateLimited) continue;
    if (!some.ok() && ConcernsTheForge(some.error().code)) return some.error();
    if (some.ok()) found += *some;
  }
  state.check_again = clock_.Monotonic() + std::max(kCheckEvery, kPerChecked * asked);
  return found;
}

void Reconcile::BackOff(Forge& forge, ForgeState& state, const Error& error) {
  // Whoever says how long is taken at their word, and doubles it themselves if need be (pace.h).
  std::chrono::milliseconds pause = error.retry_after;
  if (pause.count() == 0) {
    const int doublings = std::min(state.failures++, kMaxDoublings);
    pause = std::min<std::chrono::milliseconds>(kLongestPause,
                                                settings_.poll_interval * (1 << doublings));
  }
  state.paused_until = clock_.Monotonic() + pause;
  log_.Warn("polling pauses",
            {{"forge", forge.Name()}, {"for", FormatDuration(pause)}, {"error", error.message}});
}

}  // namespace swage
