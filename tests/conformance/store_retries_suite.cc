// Attempts, rests between them, and dead letters (B9, X28).
#include <gmock/gmock.h>

#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::SizeIs;

constexpr ClaimLimits kRests{1000, 1000, 3, std::chrono::minutes(1)};

TEST_P(StoreSuite, AnAttemptThatFailedForNowCountsAndRests) {
  const TaskId id = Create(1);
  auto claimed = Claim(kRests);
  ASSERT_TRUE(claimed.has_value());
  RunOutcome later;
  later.state = TaskState::kQueued;
  later.reason = "the forge did not answer";
  later.retry_in = 5min;
  ASSERT_TRUE(store_->FinishRun(claimed->lease, later).ok());
  EXPECT_EQ(Get(id).state, TaskState::kQueued);
  EXPECT_EQ(Get(id).attempt, 1);
  EXPECT_EQ(Get(id).reason, "the forge did not answer");
  EXPECT_FALSE(Claim(kRests).has_value());
  // Others go on, also where repositories are looked through one by one.
  const TaskId other = Create(2);
  EXPECT_EQ(Claim({1000, 1, 3, 1min})->task.id, other);
  clock_.Advance(5min - 1s);
  EXPECT_FALSE(Claim(kRests).has_value() && Get(id).state == TaskState::kRunning);
  clock_.Advance(2s);
  while (const auto next = Claim(kRests)) {
    if (next->task.id == id) break;
  }
  EXPECT_EQ(Get(id).state, TaskState::kRunning);
  EXPECT_EQ(Get(id).attempt, 2);
}

TEST_P(StoreSuite, AFirstLossIsAnAccidentALaterOneRests) {
  const TaskId id = Create(1);
  ASSERT_TRUE(Claim(kRests).has_value());
  clock_.Advance(kLease);
  ASSERT_TRUE(Claim(kRests).has_value()) << "an orphan runs again at once";
  clock_.Advance(kLease);
  EXPECT_FALSE(Claim(kRests).has_value());
  clock_.Advance(1min - 1s);
  EXPECT_FALSE(Claim(kRests).has_value());
  clock_.Advance(1s);
  ASSERT_TRUE(Claim(kRests).has_value());
  // There is no fourth attempt to wait for.
  clock_.Advance(kLease);
  EXPECT_FALSE(Claim(kRests).has_value());
  EXPECT_EQ(Get(id).state, TaskState::kFailed);
}

TEST_P(StoreSuite, ATaskThatRestsFillsNoPlace) {
  Create(1);
  const TaskId other = Create(2);
  const ClaimLimits one{1, 1, 5, 1h};
  ASSERT_TRUE(Claim(one).has_value());
  clock_.Advance(kLease);
  ASSERT_TRUE(Claim(one).has_value());
  clock_.Advance(kLease);
  const auto next = Claim(one);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->task.id, other);
}

TEST_P(StoreSuite, AStartDoesNotShortenTheRest) {
  const TaskId id = Create(1);
  ASSERT_TRUE(Claim(kRests).has_value());
  ASSERT_TRUE(store_->ExpireAllLeases().ok());
  ASSERT_TRUE(Claim(kRests).has_value());
  ASSERT_TRUE(store_->ExpireAllLeases().ok());
  EXPECT_FALSE(Claim(kRests).has_value());
  clock_.Advance(1min);
  EXPECT_TRUE(Claim(kRests).has_value());
  EXPECT_EQ(Get(id).attempt, 3);
}

TEST_P(StoreSuite, WhoWasGivenUpSaysWhereItStopped) {
  const TaskId id = Create(1);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto claimed = Claim({1000, 1000, 2});
    ASSERT_TRUE(claimed.has_value());
    ASSERT_TRUE(store_->StartStep(claimed->lease, MakeStep(StepKind::kAgent, "codex", 2)).ok());
    clock_.Advance(kLease);
  }
  EXPECT_FALSE(Claim({1000, 1000, 2}).has_value());
  EXPECT_THAT(Get(id).reason, HasSubstr("given up after 2 attempts"));
  EXPECT_THAT(Get(id).reason, HasSubstr("last in cycle 2, agent codex"));
  EXPECT_EQ(Get(id).attempt, 2);
}

TEST_P(StoreSuite, DeadLettersAreListedNewestFirst) {
  for (const char* key : {"a", "b"}) {
    ASSERT_TRUE(*store_->AddDelivery({"forge", key, "issues", "{}"}));
  }
  for (const Delivery& delivery : TakeInbox("one")) {
    IntakePlan plan;
    plan.delivery = delivery.id;
    plan.ignored = true;
    plan.parked = true;
    plan.outcome = "cannot be decided: no JSON";
    Apply(plan);
  }
  const auto parked = store_->ListParkedDeliveries(1);
  ASSERT_THAT(*parked, SizeIs(1));
  EXPECT_EQ(parked->front().key, "b");
  EXPECT_EQ(parked->front().outcome, "cannot be decided: no JSON");
  EXPECT_THAT(TakeInbox("two"), SizeIs(0));

  const TaskId id = Create(1);
  Add({MakeEffect(EffectKind::kComment, "comment:1", id)});
  EXPECT_THAT(*store_->ListFailedEffects(10), SizeIs(0));
  ASSERT_TRUE(store_->FailEffect(DueByKey("comment:1"), "the forge said 422", false).ok());
  const auto failed = store_->ListFailedEffects(10);
  ASSERT_THAT(*failed, SizeIs(1));
  EXPECT_EQ(failed->front().kind, EffectKind::kComment);
  EXPECT_EQ(failed->front().task, id);
  EXPECT_EQ(failed->front().repo_path, "acme/lib1");
  EXPECT_EQ(failed->front().error, "the forge said 422");
}

}  // namespace
}  // namespace swage
