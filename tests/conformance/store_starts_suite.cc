// How tasks begin: on which base, with what was said, after which issues, and how many.
#include <gmock/gmock.h>

#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_P(StoreSuite, ATaskBeginsOnTheBaseThatItNamesWithWhatWasSaid) {
  IntakePlan plan;
  plan.task = Issue(1);
  plan.task->base_branch = "release/2";
  plan.task->remark = "and in words, too";
  const TaskId id = Apply(plan).task;
  EXPECT_EQ(Get(id).base_branch, "release/2");
  const auto claimed = store_->ClaimTask("node", minutes(1), {9, 9, 3});
  ASSERT_TRUE(claimed.ok() && claimed->has_value());
  EXPECT_THAT((*claimed)->remarks, ElementsAre(testing::Field(&Remark::text, "and in words, too")));
  EXPECT_EQ(Get(Create(2)).base_branch, "");
}

TEST_P(StoreSuite, ATaskThatDependsWaitsUntilItIsQueued) {
  IntakePlan plan;
  plan.task = Issue(1);
  plan.task->waits_for = {34, 12};
  plan.task->waits_reason = "it waits";
  const TaskId id = Apply(plan).task;
  EXPECT_EQ(Get(id).state, TaskState::kWaiting);
  EXPECT_EQ(Get(id).reason, "it waits");
  EXPECT_FALSE(store_->ClaimTask("node", minutes(1), {9, 9, 3})->has_value());
  const auto blocked = store_->ListBlocked(10).value();
  ASSERT_EQ(blocked.size(), 1U);
  EXPECT_EQ(blocked[0].task, id);
  EXPECT_EQ(blocked[0].repo, Repo());
  EXPECT_THAT(blocked[0].issues, ElementsAre(12, 34));
  EXPECT_THAT(store_->ListBlocked(2).value(), IsEmpty()) << "it might have been cut short";

  IntakePlan queue;
  queue.changes.push_back({id, TaskChangeKind::kRequeue, RunKind::kImplement, "", "", ""});
  Apply(queue);
  EXPECT_EQ(Get(id).state, TaskState::kQueued);
  EXPECT_THAT(store_->ListBlocked(10).value(), IsEmpty());
  EXPECT_TRUE(store_->ClaimTask("node", minutes(1), {9, 9, 3})->has_value());
}

TEST_P(StoreSuite, WhatIsStoppedWaitsForNothing) {
  IntakePlan plan;
  plan.task = Issue(1);
  plan.task->waits_for = {12};
  const TaskId id = Apply(plan).task;
  ASSERT_TRUE(Change(id, TaskChangeKind::kCancel).ok());
  EXPECT_THAT(store_->ListBlocked(10).value(), IsEmpty());
}

TEST_P(StoreSuite, CountsTheTasksThatBegan) {
  const auto starts = [&](std::string_view account) {
    return store_->CountStarts(Repo(), account, hours(1)).value();
  };
  EXPECT_EQ(starts("5").in_repo, 0);
  IntakePlan plan;
  plan.task = Issue(1);
  plan.task->requester = {"5", "ada", false};
  Apply(plan);
  plan.task = Issue(2);
  plan.task->requester = {"6", "eve", false};
  Apply(plan);
  EXPECT_EQ(starts("5").in_repo, 2);
  EXPECT_EQ(starts("5").of_account, 1);
  EXPECT_EQ(starts("7").of_account, 0);
  Apply(plan);  // the same issue again begins nothing
  EXPECT_EQ(starts("6").of_account, 1);
  RepoRef elsewhere = Repo();
  elsewhere.id = "999";
  EXPECT_EQ(store_->CountStarts(elsewhere, "5", hours(1))->in_repo, 0);
  EXPECT_EQ(store_->CountStarts(elsewhere, "5", hours(1))->of_account, 1);
  EXPECT_EQ(store_->CountStarts(Repo(), "5", -minutes(1))->in_repo, 0) << "before that time";
}

}  // namespace
}  // namespace swage
