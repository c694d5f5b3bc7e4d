// Which of the queued tasks goes first (A13).
#include <gmock/gmock.h>

#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;

void Prioritize(Store& store, TaskId task, Priority priority) {
  IntakePlan plan;
  plan.changes.push_back({task, TaskChangeKind::kPrioritize, RunKind::kFix, "", "bob", ""});
  plan.changes.back().priority = priority;
  const auto applied = store.ApplyIntake(plan);
  ASSERT_TRUE(applied.ok()) << applied.error().message;
}

TaskId IdOf(const std::optional<Claimed>& claimed) {
  return claimed ? claimed->task.id : TaskId{};
}

TEST_P(StoreSuite, PriorityIsNormalUnlessSomebodySaysOtherwise) {
  EXPECT_EQ(Get(Create(1)).priority, Priority::kNormal);
  const TaskId low = Create(Priority::kLow, 2);
  EXPECT_EQ(Get(low).priority, Priority::kLow);
  const auto claimed = store_->ClaimTasks("node", minutes(1), kNoLimits, 2);
  ASSERT_TRUE(claimed.ok() && claimed->size() == 2);
  EXPECT_EQ(claimed->back().task.priority, Priority::kLow);
}

TEST_P(StoreSuite, UrgentWorkIsClaimedFirstAndAmongEqualsTheOldest) {
  const TaskId low = Create(Priority::kLow, 1);
  const TaskId normal = Create(2);
  const TaskId later = Create(3);
  const TaskId high = Create(Priority::kHigh, 4, 2);
  EXPECT_EQ(IdOf(Claim()), high);
  EXPECT_EQ(IdOf(Claim()), normal);
  EXPECT_THAT(ClaimMany(kNoLimits, 9), ElementsAre(later, low));
}

TEST_P(StoreSuite, ClaimsOfManyTakeUrgentWorkFirst) {
  const TaskId low = Create(Priority::kLow, 1);
  const TaskId normal = Create(2);
  const TaskId high = Create(Priority::kHigh, 3);
  EXPECT_THAT(ClaimMany(kNoLimits, 2), ElementsAre(high, normal));
  EXPECT_THAT(ClaimMany(kNoLimits, 2), ElementsAre(low));
}

TEST_P(StoreSuite, PriorityCountsAmongRepositoriesWithRoomToo) {
  const ClaimLimits one_each{9, 1, 3};
  const TaskId first = Create(1, 1);
  ASSERT_EQ(IdOf(Claim(one_each)), first);
  Create(Priority::kHigh, 2, 1);  // no room
  const TaskId old = Create(3, 2);
  const TaskId low = Create(Priority::kLow, 4, 3);
  const TaskId high = Create(Priority::kHigh, 5, 2);
  const TaskId normal = Create(6, 4);
  EXPECT_THAT(ClaimMany(one_each, 9), ElementsAre(high, normal, low));
  EXPECT_EQ(Get(old).state, TaskState::kQueued);
}

TEST_P(StoreSuite, UrgentWorkTakesOnlyTheRoomThatItsRepositoryHas) {
  const ClaimLimits two_each{9, 2, 3};
  const TaskId first = Create(1, 1);
  ASSERT_EQ(IdOf(Claim(two_each)), first);
  const TaskId second = Create(2, 1);
  const TaskId third = Create(3, 1);  // no room
  const TaskId other = Create(4, 2);
  const TaskId urgent = Create(Priority::kHigh, 5, 2);
  EXPECT_THAT(ClaimMany(two_each, 3), ElementsAre(urgent, second, other));
  EXPECT_EQ(Get(third).state, TaskState::kQueued);
}

TEST_P(StoreSuite, UrgentWorkThatRestsHoldsNobodyUp) {
  const TaskId high = Create(Priority::kHigh, 1);
  auto claimed = Claim();
  ASSERT_EQ(IdOf(claimed), high);
  RunOutcome rest;
  rest.state = TaskState::kQueued;
  rest.retry_in = minutes(10);
  ASSERT_TRUE(store_->FinishRun(claimed->lease, rest).ok());
  const TaskId normal = Create(2);
  claimed = Claim();
  ASSERT_EQ(IdOf(claimed), normal);
  EXPECT_EQ(IdOf(Claim()), TaskId{});
  ASSERT_TRUE(store_->FinishRun(claimed->lease, {TaskState::kFailed, "no luck", {}, {}}).ok());
  clock_.Advance(minutes(11));
  const TaskId another = Create(3);
  EXPECT_EQ(IdOf(Claim()), high);
  EXPECT_EQ(IdOf(Claim()), another);
}

TEST_P(StoreSuite, UrgentWorkThatRestsHoldsNobodyUpBesideAFullRepository) {
  const ClaimLimits one_each{9, 1, 3};
  const TaskId high = Create(Priority::kHigh, 1, 2);
  const auto claimed = Claim(one_each);
  ASSERT_TRUE(claimed && claimed->task.id == high);
  RunOutcome rest;
  rest.state = TaskState::kQueued;
  rest.retry_in = minutes(10);
  ASSERT_TRUE(store_->FinishRun(claimed->lease, rest).ok());
  const TaskId filling = Create(2, 1);
  ASSERT_EQ(IdOf(Claim(one_each)), filling);
  Create(3, 1);
  const TaskId normal = Create(4, 2);
  EXPECT_EQ(IdOf(Claim(one_each)), normal);
}

TEST_P(StoreSuite, PriorityHoldsForWorkThatHasALevelAlready) {
  const TaskId begun = Begun(1, IsolationLevel::kSandbox);
  const TaskId normal = Create(2);
  Prioritize(*store_, begun, Priority::kLow);
  const TaskId high = Create(Priority::kHigh, 3);
  EXPECT_EQ(IdOf(Claim()), high);
  EXPECT_EQ(IdOf(Claim()), normal);
  EXPECT_EQ(IdOf(Claim()), begun);
}

TEST_P(StoreSuite, PriorityCanBeChangedAtAnyTimeAndIsTold) {
  const TaskId first = Create(1);
  const TaskId second = Create(2);
  Prioritize(*store_, second, Priority::kHigh);
  EXPECT_EQ(Get(second).priority, Priority::kHigh);
  EXPECT_EQ(Get(second).state, TaskState::kQueued);
  EXPECT_EQ(Story(second).back(), "priority high, says @bob");
  EXPECT_EQ(IdOf(Claim()), second);
  Prioritize(*store_, second, Priority::kLow);
  EXPECT_EQ(Get(second).state, TaskState::kRunning);
  EXPECT_EQ(IdOf(Claim()), first);
}

}  // namespace
}  // namespace swage
