#include "pipeline/pace_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <utility>

#include "pipeline/messages.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

bool SleepFor(milliseconds time, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any nothing;
  std::unique_lock lock(mutex);
  nothing.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace

void TellOfPace(Log& log, const PaceChange& change) {
  const bool was = change.before.breaker != Breaker::kClosed;
  const bool is = change.after.breaker != Breaker::kClosed;
  const std::string& scope = change.after.scope;
  if (was && !is) log.Info("the forge works again", {{"forge", scope}});
  if (was || !is) return;
  const std::initializer_list<LogField> fields = {{"forge", scope},
                                                  {"for", FormatDuration(change.left)},
                                                  {"error", change.after.reason},
                                                  {"fix", messages::PaceFix(change.after.cause)}};
  if (change.after.cause == PauseCause::kRefused) {
    log.Error("forge paused: it refuses the bot's credential", fields);
  } else {
    log.Warn(change.after.cause == PauseCause::kLimit ? "forge paused: it asks the bot to wait"
                                                      : "forge paused: its host fails",
             fields);
  }
}

PaceKeeper::PaceKeeper(Store& store, Log& log, const Clock& clock, std::string forge,
                       PaceRules rules, Allowance allowance, Sleep sleep, std::uint32_t jitter_seed)
    : store_(store),
      log_(log),
      clock_(clock),
      forge_(std::move(forge)),
      rules_(rules),
      allowance_(allowance),
      sleep_(sleep ? std::move(sleep) : Sleep(SleepFor)),
      random_(jitter_seed) {}

Result<void> PaceKeeper::Enter(const Traffic& traffic, std::stop_token stop) {
  const std::vector<std::string> scopes = ScopesOf(traffic);
  for (const std::string& scope : scopes) SWAGE_RETURN_IF_ERROR(NoteWhatIsLeft(scope));
  SWAGE_RETURN_IF_ERROR(CheckOpen(scopes));
  const std::string& account = scopes.back();
  SWAGE_ASSIGN_OR_RETURN(auto wait, TakeTurn(account, traffic));
  if (traffic.background && !traffic.writes) {
    SWAGE_ASSIGN_OR_RETURN(const auto held_back, HoldBack(account));
    wait = std::max(wait, held_back);
  }
  if (wait.count() == 0) return Ok();
  SWAGE_RETURN_IF_ERROR(Wait(wait, std::move(stop)));
  return CheckOpen(scopes);  // a pause may have begun meanwhile
}

std::vector<std::string> PaceKeeper::ScopesOf(const Traffic& traffic) const {
  if (traffic.account.empty()) return {forge_};
  return {forge_, AccountScope(forge_, traffic.account)};
}

Result<void> PaceKeeper::CheckOpen(const std::vector<std::string>& scopes) {
  for (const std::string& scope : scopes) {
    SWAGE_ASSIGN_OR_RETURN(const PaceView view, store_.GetPace(scope));
    Remember(scope, view.pace);
    if (view.left.count() == 0) continue;
    return Error{ErrorCode::kRateLimited,
                 fmt::format("{} is left alone for {}: {}", scope, FormatDuration(view.left),
                             view.pace.reason),
                 view.left};
  }
  return Ok();
}

// How long to wait for a place among the requests of all nodes.
Result<milliseconds> PaceKeeper::TakeTurn(const std::string& scope, const Traffic& traffic) {
  Cost cost{Cost::kWritePoints, true, traffic.makes_content};
  if (!traffic.writes) {
    if (allowance_.points_per_minute == 0 || TakePaidRead(scope)) return milliseconds(0);
    cost = {Cost::kReadPoints * kReadsAtOnce, false, false};
  } else if (allowance_.IsUnbounded()) {
    return milliseconds(0);
  }
  SWAGE_ASSIGN_OR_RETURN(const milliseconds wait, store_.Reserve(scope, cost, allowance_));
  if (wait > kLongestTurn) {
    return Error{ErrorCode::kRateLimited,
                 fmt::format("what {} allows is used up for {}", scope, FormatDuration(wait)),
                 wait};
  }
  if (!traffic.writes) {
    const std::lock_guard lock(mutex_);
    Memory& memory = Of(scope);
    memory.paid_reads += kReadsAtOnce - 1;
    memory.paid_until = clock_.Monotonic() + wait + kReadsKeep;
  }
  return wait;
}

bool PaceKeeper::TakePaidRead(const std::string& scope) {
  const std::lock_guard lock(mutex_);
  Memory& memory = Of(scope);
  if (clock_.Monotonic() >= memory.paid_until) memory.paid_reads = 0;
  if (memory.paid_reads == 0) return false;
  --memory.paid_reads;
  return true;
}

// What nobody waits for leaves the rest of a quota to what somebody does.
Result<milliseconds> PaceKeeper::HoldBack(const std::string& scope) {
  const std::lock_guard lock(mutex_);
  Memory& memory = Of(scope);
  if (!memory.quota) return milliseconds(0);
  const MonotonicTime now = clock_.Monotonic();
  Quota quota = *memory.quota;
  quota.until_reset -= std::chrono::floor<milliseconds>(now - memory.quota_told);
  if (quota.until_reset.count() <= 0) return milliseconds(0);
  const milliseconds gap = BackgroundGap(quota);
  const MonotonicTime start = std::max(now, memory.next_background);
  const auto wait = std::chrono::ceil<milliseconds>(start - now);
  if (gap.count() == 0 || (gap <= kLongestTurn && wait <= kLongestTurn)) {
    memory.next_background = start + gap;
    return gap.count() == 0 ? milliseconds(0) : wait;
  }
  return Error{ErrorCode::kRateLimited,
               fmt::format("what is left of the quota of {} ({} of {}) is kept for others", scope,
                           quota.remaining, quota.limit),
               std::max(gap, wait)};
}

Result<void> PaceKeeper::Wait(milliseconds time, std::stop_token stop) const {
  if (sleep_(time, std::move(stop))) return Ok();
  return MakeError(ErrorCode::kCancelled, "stopped while waiting to speak to " + forge_);
}

void PaceKeeper::Leave(const Traffic& traffic, const Result<void>& outcome,
                       const std::optional<Quota>& quota) {
  const std::vector<std::string> scopes = ScopesOf(traffic);
  const auto failure = outcome.ok() ? std::nullopt : FailureOf(outcome.error(), traffic.writes);
  if (quota) {
    const std::lock_guard lock(mutex_);
    Memory& memory = Of(scopes.back());
    memory.quota = quota;
    memory.quota_told = clock_.Monotonic();
  }
  if (failure) {
    const bool limit = failure->cause == PauseCause::kLimit;
    Note(limit ? scopes.back() : forge_, traffic.writes, failure);
    return;
  }
  for (const std::string& scope : scopes) Note(scope, traffic.writes, std::nullopt);
}

void PaceKeeper::Note(const std::string& scope, bool wrote,
                      const std::optional<ForgeFailure>& failure) {
  if (!failure) {
    const std::lock_guard lock(mutex_);
    const Memory& memory = Of(scope);
    if (!(wrote ? memory.write_may_heal : memory.read_may_heal)) return;
  }
  const Result<void> noted =
      Keep(scope, failure ? store_.NoteForgeFailure(scope, *failure, rules_, Jitter())
                          : store_.NoteForgeSuccess(scope, wrote));
  if (noted.ok()) return;
  log_.Warn("cannot note how a forge answers",
            {{"forge", scope}, {"error", noted.error().message}});
  // One more failure of the host shows itself again; an order is given once.
  if (!failure || failure->cause == PauseCause::kDown) return;
  const std::lock_guard lock(mutex_);
  Of(scope).unnoted = failure;
}

Result<void> PaceKeeper::Keep(const std::string& scope, const Result<PaceChange>& change) {
  if (!change.ok()) return change.error();
  Remember(scope, change->after);
  TellOfPace(log_, *change);
  return Ok();
}

Result<void> PaceKeeper::NoteWhatIsLeft(const std::string& scope) {
  std::optional<ForgeFailure> failure;
  {
    const std::lock_guard lock(mutex_);
    failure = Of(scope).unnoted;
  }
  if (!failure) return Ok();
  SWAGE_RETURN_IF_ERROR(Keep(scope, store_.NoteForgeFailure(scope, *failure, rules_, Jitter())));
  const std::lock_guard lock(mutex_);
  Of(scope).unnoted.reset();
  return Ok();
}

void PaceKeeper::Remember(const std::string& scope, const Pace& pace) {
  const bool troubled = pace.breaker != Breaker::kClosed || pace.failures > 0;
  const std::lock_guard lock(mutex_);
  Memory& memory = Of(scope);
  memory.write_may_heal = troubled;
  memory.read_may_heal = troubled && !pace.on_write;
}

PaceKeeper::Memory& PaceKeeper::Of(const std::string& scope) {
  // Accounts are owners of served repositories; so many are none that somebody installed.
  constexpr std::size_t kMaxMemories = 10'000;
  if (memories_.size() >= kMaxMemories && !memories_.contains(scope)) memories_.clear();
  return memories_[scope];
}

double PaceKeeper::Jitter() {
  const std::lock_guard lock(mutex_);
  return std::generate_canonical<double, 32>(random_);
}

}  // namespace swage
