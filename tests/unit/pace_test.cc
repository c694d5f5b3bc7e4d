// The circuit breaker and the pauses of a forge, as pure functions of what it answered and when.
#include "pipeline/pace.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace swage {
namespace {

using namespace std::chrono_literals;

const WallTime kStart = FromMicros(1'772'366'400'000'000);
const ForgeFailure kDown{PauseCause::kDown, 0ms, "503", false};
const ForgeFailure kRefused{PauseCause::kRefused, 0ms, "401", false};

const Cost kWrite{Cost::kWritePoints, true, true};

ForgeFailure Limit(std::chrono::milliseconds ordered = 0ms) {
  return {PauseCause::kLimit, ordered, "429", false};
}

Pace Fail(const Pace& pace, const ForgeFailure& failure, WallTime now, double jitter = 0) {
  return AfterFailure(pace, failure, {}, now, jitter);
}

/// Closed, failed as often as it takes to open.
Pace Opened(WallTime now) {
  Pace pace;
  for (int i = 0; i < PaceRules::kFailuresToOpen; ++i) pace = Fail(pace, kDown, now);
  return pace;
}

TEST(Pace, AFewFailuresOfTheHostDoNotOpenIt) {
  Pace pace;
  for (int i = 1; i < PaceRules::kFailuresToOpen; ++i) {
    pace = Fail(pace, kDown, kStart);
    EXPECT_EQ(PassageOf(pace, kStart), Passage::kFree);
  }
  pace = Fail(AfterSuccess(pace, kStart, true), kDown, kStart);
  EXPECT_EQ(PassageOf(pace, kStart), Passage::kFree) << "a success begins the count anew";
  EXPECT_EQ(pace.failures, 1);
}

TEST(Pace, AHostThatKeepsFailingIsProbedOnceAtATimeUntilItWorks) {
  Pace pace = Opened(kStart);
  EXPECT_EQ(PassageOf(pace, kStart), Passage::kClosed);
  EXPECT_EQ(PauseLeft(pace, kStart), 5s);
  const WallTime later = kStart + 5s;
  EXPECT_EQ(PauseLeft(pace, later), 0ms);
  ASSERT_EQ(PassageOf(pace, later), Passage::kProbe);
  pace = BeginProbe(pace, later, 30s);
  EXPECT_EQ(PassageOf(pace, later), Passage::kClosed) << "one probe, not two";
  EXPECT_EQ(PauseLeft(pace, later), 0ms) << "the probe itself may pass";
  EXPECT_EQ(PassageOf(pace, later + 30s), Passage::kProbe) << "the prober died";
  Pace again = Fail(pace, kDown, later);
  EXPECT_EQ(PauseLeft(again, later), 10s) << "twice as long";
  EXPECT_EQ(again.since, kStart);
  const Pace well = AfterSuccess(pace, later, true);
  EXPECT_EQ(well.breaker, Breaker::kClosed);
  EXPECT_EQ(well.pauses, 0);
  EXPECT_EQ(well.cause, PauseCause::kNone);
}

TEST(Pace, AnOrderedWaitIsKeptToTheLetter) {
  const Pace pace = Fail({}, Limit(90s), kStart, 0.99);
  EXPECT_EQ(pace.paused_until, kStart + 90s);
  EXPECT_EQ(PassageOf(pace, kStart + 90s - 1us), Passage::kClosed);
  const Pace down = Fail({}, {PauseCause::kDown, 7s, "503", false}, kStart);
  EXPECT_EQ(PauseLeft(down, kStart), 7s) << "a 503 that says when to come back is an order, too";
}

TEST(Pace, ALimitWithoutATimeWaitsAMinuteAndThenTwiceAsLong) {
  Pace pace = Fail({}, Limit(), kStart);
  EXPECT_EQ(PauseLeft(pace, kStart), 60s);
  WallTime now = kStart;
  for (const auto wait : {120s, 240s, 480s}) {
    now = pace.paused_until;
    pace = Fail(BeginProbe(pace, now, 30s), Limit(), now);
    EXPECT_EQ(PauseLeft(pace, now), wait);
  }
}

TEST(Pace, ARefusedTokenPausesAtOnceAndIsOneTroubleUntilItWorks) {
  Pace pace = Fail({}, kRefused, kStart);
  EXPECT_EQ(PauseLeft(pace, kStart), 60s);
  EXPECT_EQ(pace.cause, PauseCause::kRefused);
  for (int i = 0; i < 20; ++i) pace = Fail(pace, kRefused, pace.paused_until);
  EXPECT_EQ(pace.since, kStart);
  const WallTime now = pace.paused_until;
  EXPECT_EQ(PauseLeft(Fail(pace, kRefused, now), now), PaceRules::kLongestPause);
}

TEST(Pace, WhatWasUnderWayWhenThePauseBeganChangesNothing) {
  const Pace paused = Fail({}, Limit(30s), kStart);
  const Pace more = Fail(Fail(paused, Limit(), kStart + 1s), kDown, kStart + 1s);
  EXPECT_EQ(more.paused_until, paused.paused_until);
  EXPECT_EQ(more.pauses, 1);
  EXPECT_EQ(more.cause, PauseCause::kLimit);
  EXPECT_EQ(AfterSuccess(paused, kStart + 1s, true).paused_until, paused.paused_until);
  EXPECT_EQ(Fail(paused, Limit(60s), kStart + 1s).paused_until, kStart + 61s)
      << "but a longer order is obeyed";
}

TEST(Pace, ThatReadsWorkSaysNothingAboutWrites) {
  const ForgeFailure refused_write{PauseCause::kLimit, 0ms, "403", true};
  Pace pace = Fail({}, refused_write, kStart);
  WallTime now = pace.paused_until;
  ASSERT_EQ(PassageOf(pace, now), Passage::kProbe);
  pace = AfterSuccess(BeginProbe(pace, now, 30s), now, false);
  EXPECT_NE(pace.breaker, Breaker::kClosed);
  EXPECT_EQ(PauseLeft(pace, now), 0s);
  EXPECT_EQ(PassageOf(pace, now), Passage::kProbe) << "the next may try";
  pace = Fail(BeginProbe(pace, now, 30s), refused_write, now);
  EXPECT_EQ(PauseLeft(pace, now), 120s) << "still the same trouble";
  now = pace.paused_until;
  EXPECT_EQ(AfterSuccess(pace, now, true).breaker, Breaker::kClosed);
}

TEST(Pace, WritesAreReservedOneGapApart) {
  const Allowance gap{.write_gap = 1s};
  Pace pace;
  WallTime expected = kStart;
  for (int i = 0; i < 3; ++i) {
    Reservation reserved = Reserve(pace, kStart, kWrite, gap);
    EXPECT_EQ(reserved.start, expected);
    pace = reserved.pace;
    expected += 1s;
  }
  EXPECT_EQ(Reserve(pace, kStart + 1h, kWrite, gap).start, kStart + 1h)
      << "idle time is not saved up";
  EXPECT_EQ(Reserve(pace, kStart, {}, gap).start, kStart) << "reads keep no distance";
}

TEST(Pace, WhatWasSpentOutlivesEveryTrouble) {
  const Pace spent = Reserve({}, kStart, kWrite, {1s, 900, 500}).pace;
  for (const Pace& pace : {AfterSuccess(spent, kStart, true), Fail(spent, Limit(), kStart)}) {
    EXPECT_EQ(pace.next_write, spent.next_write);
    EXPECT_EQ(pace.points_until, spent.points_until);
    EXPECT_EQ(pace.content_until, spent.content_until);
  }
}

// GitHub's 900 points a minute and 500 writes with content an hour, however greedily they are spent
// and whenever the forge begins to count.
TEST(Pace, NoStretchOfTimeSeesMoreThanIsAllowed) {
  struct Case {
    Allowance allowance;
    Cost cost;
    std::chrono::microseconds window;
    int units;
  };
  const Cost block{20, false, false};
  for (const Case& c : {Case{{0s, 900, 0}, {}, 1min, 900}, Case{{0s, 900, 0}, block, 1min, 45},
                        Case{{0s, 900, 0}, kWrite, 1min, 180}, Case{{1s, 0, 500}, kWrite, 1h, 500},
                        Case{{1s, 900, 500}, kWrite, 1min, 60}, Case{{0s, 0, 1}, kWrite, 1h, 1},
                        Case{{0s, 3, 0}, {}, 1min, 3}}) {
    Pace pace;
    std::vector<WallTime> starts;
    WallTime now = kStart;
    while (starts.size() < 2'000) {
      Reservation reserved = Reserve(pace, now, c.cost, c.allowance);
      ASSERT_GE(reserved.start, now);
      now = reserved.start;
      pace = std::move(reserved.pace);
      starts.push_back(now);
    }
    std::size_t first = 0;
    std::size_t most = 0;
    for (std::size_t i = 0; i < starts.size(); ++i) {
      while (starts[i] - starts[first] >= c.window) ++first;
      most = std::max(most, i - first + 1);
    }
    EXPECT_LE(most, static_cast<std::size_t>(c.units));
    const std::size_t least = c.units < 40 ? 1 : static_cast<std::size_t>(c.units) * 9 / 10;
    EXPECT_GE(most, least) << "nor much less";
  }
}

TEST(Pace, AQuarterMayBeSpentAtOnceAndIsGivenBack) {
  const Allowance allowance{0s, 0, 500};
  Pace pace;
  for (int i = 0; i < 125; ++i) {
    Reservation reserved = Reserve(pace, kStart, kWrite, allowance);
    ASSERT_EQ(reserved.start, kStart) << i;
    pace = std::move(reserved.pace);
  }
  EXPECT_EQ(Reserve(pace, kStart, kWrite, allowance).start, kStart + 9'600ms);
  EXPECT_EQ(Reserve(pace, kStart, {5, true, false}, allowance).start, kStart) << "others go on";
  EXPECT_EQ(Reserve(pace, kStart + 20min, kWrite, allowance).start, kStart + 20min);
}

TEST(Pace, BackgroundReadsGiveWayBeforeTheQuotaIsUsedUp) {
  EXPECT_EQ(BackgroundGap({5'000, 5'000, 1h}), 0s);
  EXPECT_EQ(BackgroundGap({5'000, 1'251, 1h}), 0s);
  EXPECT_EQ(BackgroundGap({5'000, 1'000, 1'000s}), 2s);
  EXPECT_EQ(BackgroundGap({5'000, 500, 1'000s}), 4s);
  EXPECT_EQ(BackgroundGap({5'000, 250, 1'000s}), 1'000s);
  EXPECT_EQ(BackgroundGap({5'000, 0, 1'000s}), 1'000s);
  EXPECT_EQ(BackgroundGap({1, 0, 7s}), 7s);
}

TEST(Pace, OnlyWhatConcernsTheWholeForgeIsAFailureOfTheForge) {
  EXPECT_EQ(FailureOf(MakeError(ErrorCode::kUnavailable, "x"), false)->cause, PauseCause::kDown);
  EXPECT_EQ(FailureOf(MakeError(ErrorCode::kTimeout, "x"), false)->cause, PauseCause::kDown);
  EXPECT_EQ(FailureOf(MakeError(ErrorCode::kUnauthenticated, "x"), false)->cause,
            PauseCause::kRefused);
  Error limited = MakeError(ErrorCode::kRateLimited, "x");
  limited.retry_after = 3s;
  EXPECT_EQ(FailureOf(limited, false)->ordered, 3s);
  for (const ErrorCode code :
       {ErrorCode::kInvalid, ErrorCode::kNotFound, ErrorCode::kConflict, ErrorCode::kDenied,
        ErrorCode::kTooLarge, ErrorCode::kCancelled, ErrorCode::kInternal}) {
    EXPECT_FALSE(FailureOf(MakeError(code, "x"), false).has_value()) << ErrorCodeName(code);
  }
}

TEST(Pace, NamesSurviveARoundTrip) {
  for (const auto b : {Breaker::kClosed, Breaker::kOpen, Breaker::kHalfOpen}) {
    EXPECT_EQ(ParseBreaker(Name(b)), b);
  }
  for (const auto c :
       {PauseCause::kNone, PauseCause::kLimit, PauseCause::kDown, PauseCause::kRefused}) {
    EXPECT_EQ(ParsePauseCause(Name(c)), c);
  }
  EXPECT_FALSE(ParseBreaker("ajar").has_value());
  EXPECT_FALSE(ParsePauseCause("").has_value());
}

// A random history, checked at every step: no order is cut short, no wait is beyond its bound or
// shorter than the rules say, the same trouble never makes the next wait shorter, and a forge that
// works again is free after one probe.
TEST(Pace, PropertiesHoldForAnyHistory) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    Pace pace;
    WallTime now = kStart;
    WallTime ordered_until{};
    for (int step = 0; step < 200; ++step) {
      now += std::chrono::milliseconds(pick(40'000));
      if (PassageOf(pace, now) == Passage::kProbe) pace = BeginProbe(pace, now, 30s);
      const Pace before = pace;
      if (pick(3) == 0) {
        pace = AfterSuccess(pace, now, true);
      } else {
        const ForgeFailure failure{
            std::array{PauseCause::kLimit, PauseCause::kDown, PauseCause::kRefused}.at(
                static_cast<std::size_t>(pick(3))),
            std::chrono::milliseconds(pick(2) == 0 ? pick(100'000) : 0), "x", pick(2) == 0};
        pace = AfterFailure(pace, failure, {}, now, pick(100) / 100.0);
        if (failure.ordered.count() > 0)
          ordered_until = std::max(ordered_until, now + failure.ordered);
        const bool newly = pace.pauses > before.pauses;
        if (newly && failure.ordered.count() == 0) {
          const auto wait = PauseLeft(pace, now);
          const bool down = failure.cause == PauseCause::kDown;
          EXPECT_GE(wait, down ? 5s : 60s);
          EXPECT_LE(wait, (down ? PaceRules::kLongestCooldown : PaceRules::kLongestPause) * 5 / 4);
        }
        EXPECT_GE(pace.pauses, before.pauses);
        if (PauseLeft(before, now).count() > 0) {
          EXPECT_GE(pace.paused_until, before.paused_until);
        }
      }
      if (now < ordered_until) {
        EXPECT_EQ(PassageOf(pace, now), Passage::kClosed);
        EXPECT_GE(now + PauseLeft(pace, now), ordered_until);
      }
    }
    now = std::max(now, pace.paused_until);
    EXPECT_EQ(PassageOf(AfterSuccess(pace, now, true), now), Passage::kFree);
  }
}

}  // namespace
}  // namespace swage
