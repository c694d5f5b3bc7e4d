#include "pipeline/pace.h"

#include <algorithm>

#include "config/base/name_table.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

constexpr NameTable<Breaker, 3> kBreakers = {{
    {Breaker::kClosed, "closed"},
    {Breaker::kOpen, "open"},
    {Breaker::kHalfOpen, "half_open"},
}};
constexpr NameTable<PauseCause, 4> kCauses = {{
    {PauseCause::kNone, "none"},
    {PauseCause::kLimit, "limit"},
    {PauseCause::kDown, "down"},
    {PauseCause::kRefused, "refused"},
}};

// A quarter more at most: many nodes must not come back in the same instant.
milliseconds Spread(milliseconds wait, double jitter) {
  return wait + milliseconds(static_cast<std::int64_t>(static_cast<double>(wait.count()) *
                                                       std::clamp(jitter, 0.0, 1.0) / 4));
}

milliseconds OwnWait(PauseCause cause, int earlier_pauses, const PaceRules& rules) {
  const bool down = cause == PauseCause::kDown;
  const milliseconds first = down ? rules.pause / PaceRules::kCooldownShare : rules.pause;
  const milliseconds longest = down ? PaceRules::kLongestCooldown : PaceRules::kLongestPause;
  const int doublings = std::clamp(earlier_pauses, 0, 20);
  return std::min(first * (std::int64_t{1} << doublings), longest);
}

bool IsPaused(const Pace& pace, WallTime now) {
  return pace.breaker == Breaker::kOpen && now < pace.paused_until;
}

// An allowance as a bucket: a quarter fits in, and what leaves it in a window is the rest, so that
// no window sees more than the whole. One time is enough to keep: when it will be empty again.
class Bucket {
 public:
  Bucket(int allowed, std::chrono::microseconds window) {
    if (allowed <= 0) return;
    const int at_once = std::max(1, allowed / kShareAtOnce);
    each_ = window / std::max(1, allowed - at_once);
    depth_ = each_ * at_once;
  }
  WallTime Earliest(WallTime empty_at, int units) const {
    if (each_.count() == 0) return {};
    // What does not fit into an empty bucket is let through when it is empty.
    return empty_at - std::max(depth_ - each_ * units, std::chrono::microseconds(0));
  }
  void Spend(WallTime& empty_at, WallTime start, int units) const {
    if (each_.count() > 0) empty_at = std::max(empty_at, start) + each_ * units;
  }

 private:
  static constexpr int kShareAtOnce = 4;
  std::chrono::microseconds each_{0};  // after which one unit is given back; zero = no bound
  std::chrono::microseconds depth_{0};
};

}  // namespace

std::string_view Name(Breaker b) {
  return NameIn(kBreakers, b);
}
std::optional<Breaker> ParseBreaker(std::string_view s) {
  return ParseIn(kBreakers, s);
}
std::string_view Name(PauseCause c) {
  return NameIn(kCauses, c);
}
std::optional<PauseCause> ParsePauseCause(std::string_view s) {
  return ParseIn(kCauses, s);
}

std::optional<ForgeFailure> FailureOf(const Error& error, bool wrote) {
  switch (error.code) {
    case ErrorCode::kRateLimited:
      return ForgeFailure{PauseCause::kLimit, error.retry_after, error.message, wrote};
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return ForgeFailure{PauseCause::kDown, error.retry_after, error.message, wrote};
    case ErrorCode::kUnauthenticated:
      return ForgeFailure{PauseCause::kRefused, error.retry_after, error.message, wrote};
    case ErrorCode::kInvalid:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kDenied:
    case ErrorCode::kLeaseLost:
    case ErrorCode::kTooLarge:
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      return std::nullopt;
  }
  return std::nullopt;
}

Pace AfterFailure(Pace pace, const ForgeFailure& failure, const PaceRules& rules, WallTime now,
                  double jitter) {
  if (IsPaused(pace, now)) {
    pace.paused_until = std::max(pace.paused_until, now + failure.ordered);
    return pace;
  }
  pace.on_write = pace.on_write || failure.on_write;
  pace.cause = failure.cause;
  pace.reason = failure.reason;
  const bool ordered = failure.ordered.count() > 0;
  if (pace.breaker == Breaker::kClosed && failure.cause == PauseCause::kDown) {
    ++pace.failures;
    if (!ordered && pace.failures < PaceRules::kFailuresToOpen) return pace;
  }
  const milliseconds wait = ordered ? failure.ordered : OwnWait(failure.cause, pace.pauses, rules);
  if (pace.breaker == Breaker::kClosed) pace.since = now;
  pace.breaker = Breaker::kOpen;
  pace.paused_until = now + Spread(wait, ordered ? 0 : jitter);
  ++pace.pauses;
  return pace;
}

Pace AfterSuccess(Pace pace, WallTime now, bool wrote) {
  if (IsPaused(pace, now)) return pace;
  if (pace.on_write && !wrote) {
    if (pace.breaker == Breaker::kHalfOpen) {
      pace.breaker = Breaker::kOpen;
      pace.paused_until = now;
    }
    return pace;
  }
  Pace well;
  well.scope = std::move(pace.scope);
  well.next_write = pace.next_write;
  well.points_until = pace.points_until;
  well.content_until = pace.content_until;
  return well;
}

Passage PassageOf(const Pace& pace, WallTime now) {
  if (pace.breaker == Breaker::kClosed) return Passage::kFree;
  return now < pace.paused_until ? Passage::kClosed : Passage::kProbe;
}

Pace BeginProbe(Pace pace, WallTime now, milliseconds patience) {
  pace.breaker = Breaker::kHalfOpen;
  pace.paused_until = now + patience;
  return pace;
}

milliseconds PauseLeft(const Pace& pace, WallTime now) {
  if (!IsPaused(pace, now)) return milliseconds(0);
  return std::chrono::ceil<milliseconds>(pace.paused_until - now);
}

Reservation Reserve(Pace pace, WallTime now, const Cost& cost, const Allowance& allowance) {
  const Bucket points(allowance.points_per_minute, std::chrono::minutes(1));
  const Bucket content(allowance.content_per_hour, std::chrono::hours(1));
  WallTime start = std::max(now, points.Earliest(pace.points_until, cost.points));
  if (cost.writes) start = std::max(start, pace.next_write);
  if (cost.makes_content) start = std::max(start, content.Earliest(pace.content_until, 1));
  points.Spend(pace.points_until, start, cost.points);
  if (cost.writes) pace.next_write = start + allowance.write_gap;
  if (cost.makes_content) content.Spend(pace.content_until, start, 1);
  return {std::move(pace), start};
}

milliseconds BackgroundGap(const Quota& quota) {
  constexpr std::int64_t kPlenty = 4;
  constexpr std::int64_t kHardlyAny = 20;
  if (quota.remaining > quota.limit / kPlenty) return milliseconds(0);
  if (quota.remaining <= quota.limit / kHardlyAny) return quota.until_reset;
  return quota.until_reset * 2 / quota.remaining;
}

std::string RepoScope(const RepoRef& repo) {
  return repo.forge + "/" + repo.id;
}

std::string AccountScope(std::string_view forge, std::string_view account) {
  std::string scope(forge);
  if (!account.empty()) scope.append("@").append(account);
  return scope;
}

}  // namespace swage
