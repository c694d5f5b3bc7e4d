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
  Pace pace;
  WallTime expected = kStart;
  for (int i = 0; i < 3; ++i) {
    Reservation reserved = ReserveWrite(pace, kStart, 1s);
    EXPECT_EQ(reserved.start, expected);
    pace = reserved.pace;
    expected += 1s;
  }
  EXPECT_EQ(ReserveWrite(pace, kStart + 1h, 1s).start, kStart + 1h) << "idle time is not saved up";
  EXPECT_EQ(AfterSuccess(pace, kStart, true).next_write, pace.next_write);
  EXPECT_EQ(Fail(pace, Limit(), kStart).next_write, pace.next_write);
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
