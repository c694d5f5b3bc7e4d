// Pace: whether one forge may be spoken to now, and how soon it may be written to. Pure.
//
//   closed --limit, refusal, or kFailuresToOpen failures of the host--> open (paused until ...)
//   open --the time is over--> half-open: one probe --it worked--> closed
//                                                   --it did not--> open, for longer
//
// The row of a Pace is shared by all nodes (Store::NoteForgeFailure and its neighbours apply these
// functions in a transaction), so that one node's 429 holds back every node. A pause that the forge
// ordered is kept to the letter; jitter only ever makes a wait longer (I9).
//
// Besides, the row holds what has been spent of what a forge allows (Reserve), which is kept below
// the limit in any stretch of time, wherever the forge may begin to count.
//
// A scope is a forge's settings name; for limits that it counts per account, AccountScope; for what
// a credential may not do in one repository, RepoScope(repo).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "config/base/result.h"
#include "forge/model.h"
#include "forge/traffic_gate.h"

namespace swage {

enum class Breaker { kClosed, kOpen, kHalfOpen };
std::string_view Name(Breaker b);
std::optional<Breaker> ParseBreaker(std::string_view s);

/// Why nothing is sent.
enum class PauseCause {
  kNone,
  kLimit,    ///< the forge refused for its rate limits
  kDown,     ///< the host fails, or does not answer
  kRefused,  ///< the forge refuses the bot's credential (X27)
};
std::string_view Name(PauseCause c);
std::optional<PauseCause> ParsePauseCause(std::string_view s);

struct Pace {
  std::string scope;
  Breaker breaker = Breaker::kClosed;
  PauseCause cause = PauseCause::kNone;  ///< of the last failure
  bool on_write = false;     ///< writes failed: that reads work again does not end the trouble
  int failures = 0;          ///< of the host, in a row, while closed
  int pauses = 0;            ///< in a row, without a success between them
  WallTime paused_until{};   ///< open: nothing before; half-open: the probe counts as lost then
  WallTime next_write{};     ///< the first moment at which nobody has reserved a write
  WallTime points_until{};   ///< when what was reserved of the points is given back in full
  WallTime content_until{};  ///< likewise
  WallTime since{};          ///< when the first of these pauses began
  std::string reason;        ///< of the last failure, for people
};

struct PaceRules {
  static constexpr int kFailuresToOpen = 5;
  static constexpr int kCooldownShare = 12;  ///< a host that fails is probed this much sooner
  static constexpr std::chrono::milliseconds kLongestPause{60 * 60'000};
  static constexpr std::chrono::milliseconds kLongestCooldown{10 * 60'000};

  /// The first pause when the forge does not say how long; each further one is twice as long.
  std::chrono::milliseconds pause{60'000};
};

struct ForgeFailure {
  PauseCause cause = PauseCause::kDown;
  std::chrono::milliseconds ordered{0};  ///< how long the forge asked to wait; zero = it did not
  std::string reason;
  bool on_write = false;
};

/// What a request's error says about the forge as a whole; nothing when it is about that request.
std::optional<ForgeFailure> FailureOf(const Error& error, bool wrote);

/// `jitter` in [0, 1). A failure that comes in while the pause runs was on its way before: it can
/// make the pause longer by what it orders, but is not counted again.
Pace AfterFailure(Pace pace, const ForgeFailure& failure, const PaceRules& rules, WallTime now,
                  double jitter);
/// Ends the trouble, unless a pause still runs (then the success was on its way before), or the
/// trouble is with writes and this was none: then a probe that was under way is over, and another
/// may follow at once.
Pace AfterSuccess(Pace pace, WallTime now, bool wrote);

enum class Passage { kFree, kProbe, kClosed };
/// For writes that wait: take all, take one (after BeginProbe), or take nothing.
Passage PassageOf(const Pace& pace, WallTime now);
/// One probe is under way and has `patience` to show how it went.
Pace BeginProbe(Pace pace, WallTime now, std::chrono::milliseconds patience);

/// How long no request at all may be sent; zero = now. A probe is not held back.
std::chrono::milliseconds PauseLeft(const Pace& pace, WallTime now);

/// What a forge allows one account, all nodes together; zero = no bound.
struct Allowance {
  std::chrono::milliseconds write_gap{0};
  int points_per_minute = 0;  ///< a request costs some, see Cost
  int content_per_hour = 0;   ///< writes that people are told of

  bool IsUnbounded() const {
    return write_gap.count() == 0 && points_per_minute == 0 && content_per_hour == 0;
  }
};

struct Cost {
  /// docs.github.com, "Calculating points for the secondary rate limit".
  static constexpr int kReadPoints = 1;
  static constexpr int kWritePoints = 5;

  int points = kReadPoints;
  bool writes = false;
  bool makes_content = false;
};

/// Who would have to wait for longer gets no place and is told to come back.
inline constexpr std::chrono::milliseconds kLongestTurn{30'000};

/// The next place for a request of this cost: the caller waits until `start`. A quarter of an
/// allowance may be spent at once; the rest is given back evenly.
struct Reservation {
  Pace pace;
  WallTime start;
};
Reservation Reserve(Pace pace, WallTime now, const Cost& cost, const Allowance& allowance);

/// The time between two reads that nobody waits for: none while more than a quarter of the quota is
/// left, then so that half of it is left for others, and all of the time until it is given back
/// when there is hardly any.
std::chrono::milliseconds BackgroundGap(const Quota& quota);

std::string RepoScope(const RepoRef& repo);
/// `account` empty: the forge's own.
std::string AccountScope(std::string_view forge, std::string_view account);

}  // namespace swage
