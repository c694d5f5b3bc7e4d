// What polls keep in the store, and what they ask it before they trouble a forge.
#include <gmock/gmock.h>

#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Keys(const std::vector<PollMark>& marks) {
  std::vector<std::string> keys;
  for (const PollMark& mark : marks) keys.push_back(mark.key);
  return keys;
}

TEST_P(StoreSuite, MarksOfPollsSurviveARestart) {
  EXPECT_FALSE(store_->GetPoll("changes:forge:1")->has_value());
  ASSERT_TRUE(store_->SetPoll({"changes:forge:1", "17", "W/\"a b\""}).ok());
  ASSERT_TRUE(store_->SetPoll({"changes:forge:1", "18", "W/\"c\""}).ok());
  Reopen();
  const auto mark = *store_->GetPoll("changes:forge:1");
  ASSERT_TRUE(mark.has_value());
  EXPECT_EQ(mark->cursor, "18");
  EXPECT_EQ(mark->etag, "W/\"c\"");
  ASSERT_TRUE(store_->ForgetPoll("changes:forge:1").ok());
  ASSERT_TRUE(store_->ForgetPoll("never there").ok());
  EXPECT_FALSE(store_->GetPoll("changes:forge:1")->has_value());
}

TEST_P(StoreSuite, MarksAreListedByTheirBeginning) {
  for (const char* key : {"alarm:b", "alarm:a", "alarms", "changes:forge:1", "alarm%"}) {
    ASSERT_TRUE(store_->SetPoll({key, "", ""}).ok());
  }
  EXPECT_THAT(Keys(*store_->ListPolls("alarm:", 10)), ElementsAre("alarm:a", "alarm:b"));
  EXPECT_THAT(Keys(*store_->ListPolls("alarm:", 1)), ElementsAre("alarm:a"));
  EXPECT_THAT(Keys(*store_->ListPolls("alarm%", 10)), ElementsAre("alarm%"));
  EXPECT_THAT(*store_->ListPolls("x", 10), IsEmpty());
}

TEST_P(StoreSuite, KnowsWhichCommandsWereObeyed) {
  EXPECT_FALSE(*store_->IsObeyed("comment:forge:1:9"));
  IntakePlan plan;
  plan.command_key = "comment:forge:1:9";
  Apply(plan);
  EXPECT_TRUE(*store_->IsObeyed("comment:forge:1:9"));
  EXPECT_FALSE(*store_->IsObeyed("comment:forge:1:8"));
}

TEST_P(StoreSuite, KnowsWhichDeliveriesCameAndWhen) {
  ASSERT_TRUE(*store_->AddDelivery({"forge", "k1", "issues", "{}"}));
  EXPECT_TRUE(*store_->HasDelivery("forge", "k1"));
  EXPECT_FALSE(*store_->HasDelivery("forge", "k2"));
  EXPECT_FALSE(*store_->HasDelivery("other", "k1"));
  EXPECT_TRUE(*store_->HasDeliverySince("forge", clock_.Now()));
  EXPECT_FALSE(*store_->HasDeliverySince("other", clock_.Now()));
  EXPECT_FALSE(*store_->HasDeliverySince("forge", clock_.Now() + std::chrono::seconds(1)));
}

TEST_P(StoreSuite, ARenamedRepositoryKeepsItsTasks) {
  const TaskId id = Create(1);
  RepoRef moved = Repo();
  moved.path = "acme/moved";
  ASSERT_TRUE(store_->RenameRepo(moved).ok());
  EXPECT_EQ(Get(id).repo.path, "acme/moved");
  EXPECT_EQ(store_->ListTasks({{}, "acme/moved", 10})->size(), 1U);
}

TEST_P(StoreSuite, RemembersWhetherTheLabelAskedForTheNewestRun) {
  IntakePlan plan;
  plan.task = Issue(1);
  plan.task->by_label = true;
  const TaskId labelled = Apply(plan).task;
  const TaskId commanded = Create(2);
  EXPECT_TRUE(*store_->IsByLabel(labelled));
  EXPECT_FALSE(*store_->IsByLabel(commanded));
  for (const TaskId id : {labelled, commanded}) {
    ASSERT_TRUE(Change(id, TaskChangeKind::kCancel).ok());
    IntakePlan again;
    again.changes.push_back({id, TaskChangeKind::kRequeue, RunKind::kImplement, "", "bob", ""});
    again.changes.back().by_label = id == commanded;
    Apply(again);
  }
  EXPECT_FALSE(*store_->IsByLabel(labelled));
  EXPECT_TRUE(*store_->IsByLabel(commanded));
}

TEST_P(StoreSuite, Fault_X25_APausedTaskWaitsAndGoesOnFromWhatWasAdopted) {
  const TaskId id = Publishing(1, {});
  ASSERT_EQ(Get(id).state, TaskState::kInReview);
  const Epoch before = Get(id).epoch;
  IntakePlan pause;
  pause.changes.push_back({id, TaskChangeKind::kPause, RunKind::kFix, "", "ada", "taken over"});
  EXPECT_THAT(Apply(pause).cancelled, ElementsAre(id));
  EXPECT_EQ(Get(id).state, TaskState::kWaiting);
  EXPECT_EQ(Get(id).reason, "taken over");
  EXPECT_GT(Get(id).epoch, before);
  EXPECT_FALSE(Claim().has_value());
  IntakePlan go;
  go.changes.push_back({id, TaskChangeKind::kRequeue, RunKind::kFix, "more", "ada", ""});
  go.changes.back().adopt = {"0123456789012345678901234567890123456789"};
  Apply(go);
  const auto claimed = Claim();
  ASSERT_TRUE(claimed.has_value());
  EXPECT_EQ(claimed->task.checkpoint, go.changes.back().adopt);
  EXPECT_EQ(claimed->task.pushed, go.changes.back().adopt);
}

TEST_P(StoreSuite, ARunMayEndBecauseNobodyWantsItAnyMore) {
  std::int64_t number = 0;
  for (const TaskState state :
       {TaskState::kWaiting, TaskState::kCancelled, TaskState::kMerged, TaskState::kClosed}) {
    const TaskId id = Create(++number);
    const auto claimed = Claim();
    ASSERT_TRUE(claimed.has_value());
    RunOutcome outcome;
    outcome.state = state;
    outcome.reason = "so it is";
    ASSERT_TRUE(store_->FinishRun(claimed->lease, outcome).ok());
    EXPECT_EQ(Get(id).state, state);
    EXPECT_EQ(Get(id).reason, "so it is");
    EXPECT_TRUE(Get(id).lease_node.empty());
  }
}

}  // namespace
}  // namespace swage
