#include "pipeline/maintenance/housekeeper.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>

#include "config/base/redact.h"

namespace swage {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Counts what happened, and lets a test wait for it.
class Tally {
 public:
  void Add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool Reaches(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(30), [&] { return count_ >= count; });
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

class CountingDuty final : public Duty {
 public:
  CountingDuty(std::string name, Tally& rounds, std::function<Result<void>()> work = Ok)
      : name_(std::move(name)), rounds_(rounds), work_(std::move(work)) {}
  std::string_view Name() const override { return name_; }
  Result<void> RunOnce(std::stop_token) override {
    rounds_.Add();
    return work_();
  }

 private:
  const std::string name_;
  Tally& rounds_;
  std::function<Result<void>()> work_;
};

class HousekeeperTest : public testing::Test {
 protected:
  HoldSource Local() {
    return [this](std::string_view name) -> Result<std::unique_ptr<Hold>> {
      return holds_.TryHold(name);
    };
  }
  static DutyPlan Plan(std::unique_ptr<Duty> duty, milliseconds every = milliseconds(1)) {
    return {std::move(duty), every};
  }

  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  LocalHolds holds_;
  Tally rounds_;
};

TEST_F(HousekeeperTest, RepeatsADutyAndNudgesIt) {
  Housekeeper housekeeper(Local(), log_);
  Tally slow;
  housekeeper.Add(Plan(std::make_unique<CountingDuty>("often", rounds_)));
  housekeeper.Add(Plan(std::make_unique<CountingDuty>("seldom", slow), hours(1)));
  housekeeper.Start();
  EXPECT_TRUE(rounds_.Reaches(3));
  EXPECT_TRUE(slow.Reaches(1));
  housekeeper.Nudge("seldom");
  EXPECT_TRUE(slow.Reaches(2));
  EXPECT_EQ(slow.count(), 2);
}

TEST_F(HousekeeperTest, OneThatFailsOrThrowsStopsNobodyAndIsCalledUnwell) {
  Housekeeper housekeeper(Local(), log_);
  Tally fails, throws;
  housekeeper.Add(Plan(std::make_unique<CountingDuty>(
      "fails", fails, [] { return MakeError(ErrorCode::kUnavailable, "no"); })));
  housekeeper.Add(Plan(std::make_unique<CountingDuty>(
      "throws", throws, []() -> Result<void> { throw std::runtime_error("boo"); })));
  housekeeper.Add(Plan(std::make_unique<CountingDuty>("works", rounds_)));
  EXPECT_TRUE(housekeeper.Health().ok());
  housekeeper.Start();
  EXPECT_TRUE(fails.Reaches(DutyKeeper::kUnwellAfter + 1));
  EXPECT_TRUE(throws.Reaches(DutyKeeper::kUnwellAfter + 1));
  EXPECT_TRUE(rounds_.Reaches(3));
  ASSERT_FALSE(housekeeper.Health().ok());
  EXPECT_EQ(housekeeper.Health().error().message, "keeps failing: fails, throws");
}

TEST_F(HousekeeperTest, ASingleDutyIsDoneByItsHolderAlone) {
  Housekeeper first(Local(), log_), second(Local(), log_);
  Tally others;
  first.Add(Plan(std::make_unique<CountingDuty>("single", rounds_)));
  first.Start();
  ASSERT_TRUE(rounds_.Reaches(1));
  Tally own;
  second.Add(Plan(std::make_unique<CountingDuty>("single", others)));
  DutyPlan everywhere = Plan(std::make_unique<CountingDuty>("own", own));
  everywhere.single = false;
  second.Add(std::move(everywhere));
  second.Start();
  ASSERT_TRUE(own.Reaches(5));
  EXPECT_EQ(others.count(), 0);
  EXPECT_TRUE(second.Health().ok());
  first.Stop();
  second.Nudge("single");
  EXPECT_TRUE(others.Reaches(1)) << "the duty is taken over";
}

// A hold that ends when a test says so.
class FragileHold final : public Hold {
 public:
  explicit FragileHold(std::atomic<bool>& broken) : broken_(broken) {}
  Result<void> Check() override {
    if (!broken_) return Ok();
    return MakeError(ErrorCode::kLeaseLost, "connection lost");
  }

 private:
  std::atomic<bool>& broken_;
};

TEST_F(HousekeeperTest, ALostHoldIsTakenAnewBeforeTheNextRound) {
  std::atomic<bool> broken{false};
  Tally taken;
  Housekeeper housekeeper(
      [&](std::string_view) -> Result<std::unique_ptr<Hold>> {
        broken = false;
        taken.Add();
        return std::unique_ptr<Hold>(std::make_unique<FragileHold>(broken));
      },
      log_);
  housekeeper.Add(Plan(std::make_unique<CountingDuty>("single", rounds_)));
  housekeeper.Start();
  ASSERT_TRUE(rounds_.Reaches(2));
  EXPECT_EQ(taken.count(), 1);
  broken = true;
  EXPECT_TRUE(taken.Reaches(2));
}

TEST_F(HousekeeperTest, WhatMustNotWaitHasALastRoundAtTheEnd) {
  Tally plain;
  {
    Housekeeper housekeeper(Local(), log_);
    DutyPlan last = Plan(std::make_unique<CountingDuty>("last", rounds_), hours(1));
    last.last_round = true;
    housekeeper.Add(std::move(last));
    housekeeper.Add(Plan(std::make_unique<CountingDuty>("plain", plain), hours(1)));
    housekeeper.Start();
    ASSERT_TRUE(rounds_.Reaches(1));
    ASSERT_TRUE(plain.Reaches(1));
  }
  EXPECT_EQ(rounds_.count(), 2);
  EXPECT_EQ(plain.count(), 1);
  EXPECT_NE(holds_.TryHold("last"), nullptr) << "the hold is let go";
}

TEST(LocalHolds, OneAtATimeAndFreeAgainAfterwards) {
  LocalHolds holds;
  auto mine = holds.TryHold("gc");
  ASSERT_NE(mine, nullptr);
  EXPECT_TRUE(mine->Check().ok());
  EXPECT_EQ(holds.TryHold("gc"), nullptr);
  EXPECT_NE(holds.TryHold("other"), nullptr);
  mine.reset();
  EXPECT_NE(holds.TryHold("gc"), nullptr);
}

}  // namespace
}  // namespace swage
