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

Reservation ReserveWrite(Pace pace, WallTime now, milliseconds gap) {
  const WallTime start = std::max(now, pace.next_write);
  pace.next_write = start + gap;
  return {std::move(pace), start};
}

std::string RepoScope(const RepoRef& repo) {
  return repo.forge + "/" + repo.id;
}

}  // namespace swage
