// What a store promises to many nodes: leases by the batch, checkpoints that travel, who is there.
#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

NodeInfo Node(std::string name, std::string instance = "i1") {
  NodeInfo node;
  node.name = std::move(name);
  node.instance = std::move(instance);
  node.host = "host";
  node.roles = "web, worker";
  node.version = "1.2";
  node.url = "https://one.example.com";
  node.started = WallTime(seconds(1'000));
  return node;
}

TEST_P(StoreSuite, ANodeIsListedWithItsSilenceAndItsLeases) {
  ASSERT_TRUE(store_->Heartbeat(Node("b")).ok());
  ASSERT_TRUE(store_->Heartbeat(Node("a")).ok());
  Create(1);
  Create(2);
  ASSERT_TRUE(Claim(kNoLimits, "a"));
  ASSERT_TRUE(Claim(kNoLimits, "a"));
  const auto nodes = store_->ListNodes();
  ASSERT_TRUE(nodes.ok()) << nodes.error().message;
  ASSERT_EQ(nodes->size(), 2U);
  const NodeInfo& a = nodes->front();
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.instance, "i1");
  EXPECT_EQ(a.host, "host");
  EXPECT_EQ(a.roles, "web, worker");
  EXPECT_EQ(a.version, "1.2");
  EXPECT_EQ(a.url, "https://one.example.com");
  EXPECT_EQ(a.started, WallTime(seconds(1'000)));
  EXPECT_EQ(a.running, 2);
  EXPECT_GE(a.silent_for, milliseconds(0));
  EXPECT_LT(a.silent_for, seconds(30));
  EXPECT_EQ(nodes->back().name, "b");
  EXPECT_EQ(nodes->back().running, 0);
}

TEST_P(StoreSuite, AHeartbeatReplacesTheRowAndOnlyItsInstanceForgetsIt) {
  ASSERT_TRUE(store_->Heartbeat(Node("a", "old")).ok());
  ASSERT_TRUE(store_->Heartbeat(Node("a", "new")).ok());
  ASSERT_TRUE(store_->ForgetNode("a", "old").ok());
  ASSERT_EQ(store_->ListNodes()->size(), 1U);
  EXPECT_EQ(store_->ListNodes()->front().instance, "new");
  ASSERT_TRUE(store_->ForgetNode("a", "new").ok());
  EXPECT_TRUE(store_->ListNodes()->empty());
  EXPECT_FALSE(store_->Heartbeat(Node("")).ok());
}

TEST_P(StoreSuite, LeasesAreRenewedTogetherAndTheLostOnesNamed) {
  Create(1);
  Create(2);
  Create(3);
  const auto first = Claim(), second = Claim(), third = Claim();
  ASSERT_TRUE(Change(second->task.id, TaskChangeKind::kCancel).ok());
  const auto lost = store_->RenewLeases({first->lease, second->lease, third->lease}, kLease);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  EXPECT_EQ(*lost, std::vector<TaskId>{second->task.id});
  EXPECT_TRUE(store_->RenewLeases({}, kLease)->empty());
}

TEST_P(StoreSuite, ANodeThatStartsFreesItsOwnLeasesOnly) {
  Create(1);
  Create(2);
  const auto mine = Claim(kNoLimits, "a");
  const auto others = Claim(kNoLimits, "b");
  ASSERT_TRUE(store_->StartStep(mine->lease, MakeStep(StepKind::kAgent, "x")).ok());
  const auto expired = store_->ExpireLeases("a");
  ASSERT_TRUE(expired.ok()) << expired.error().message;
  EXPECT_EQ(*expired, 1);
  EXPECT_EQ(Renew(mine->lease).error().code, ErrorCode::kLeaseLost);
  EXPECT_TRUE(Renew(others->lease).ok());
  EXPECT_EQ(store_->ListSteps(mine->task.id)->front().outcome, "interrupted");
  const auto heir = Claim(kNoLimits, "b");
  ASSERT_TRUE(heir);
  EXPECT_EQ(heir->task.id, mine->task.id);
  EXPECT_EQ(*store_->ExpireLeases("a"), 0);
}

TEST_P(StoreSuite, ANodesLeasesAreListedUntilTheyAreOver) {
  Create(1);
  Create(2);
  const auto mine = Claim(kNoLimits, "a");
  const auto others = Claim(kNoLimits, "b");
  const auto leases = store_->ListLeases("a");
  ASSERT_TRUE(leases.ok()) << leases.error().message;
  ASSERT_EQ(leases->size(), 1U);
  EXPECT_EQ(leases->front().task, mine->lease.task);
  EXPECT_EQ(leases->front().epoch, mine->lease.epoch);
  EXPECT_EQ(leases->front().node, "a");
  clock_.Advance(kLease);
  EXPECT_TRUE(store_->ListLeases("a")->empty());
  EXPECT_TRUE(store_->ListLeases("c")->empty());
}

TEST_P(StoreSuite, OldCheckpointsOfTasksThatRestAreDropped) {
  constexpr auto kAge = std::chrono::hours(48);
  constexpr int kMany = 10;
  const auto failed = [&](std::int64_t issue) {
    const TaskId id = Create(issue);
    const auto claimed = Claim();
    EXPECT_TRUE(store_->SaveCheckpoint(claimed->lease, {{"c"}, {"b"}, "pack"}).ok());
    EXPECT_TRUE(store_->FinishRun(claimed->lease, {TaskState::kFailed, "no", {}, {}}).ok());
    return id;
  };
  const TaskId old_one = failed(1), old_two = failed(2);
  const TaskId running = Create(3);
  const auto claimed = Claim();
  ASSERT_TRUE(store_->SaveCheckpoint(claimed->lease, {{"c"}, {"b"}, "pack"}).ok());
  clock_.Advance(kAge + seconds(1));
  ASSERT_TRUE(Renew(claimed->lease).ok());
  const TaskId young = failed(4);
  const auto dropped = store_->DropOldCheckpoints(kAge, 1);
  ASSERT_TRUE(dropped.ok()) << dropped.error().message;
  EXPECT_EQ(*dropped, 1);
  EXPECT_EQ(*store_->DropOldCheckpoints(kAge, kMany), 1);
  EXPECT_EQ(*store_->DropOldCheckpoints(kAge, kMany), 0);
  EXPECT_FALSE(store_->LoadCheckpoint(old_one)->has_value());
  EXPECT_FALSE(store_->LoadCheckpoint(old_two)->has_value());
  EXPECT_TRUE(store_->LoadCheckpoint(running)->has_value());
  EXPECT_TRUE(store_->LoadCheckpoint(young)->has_value());
}

TEST_P(StoreSuite, TheLimitOnTasksAtOnceIsANodesOwn) {
  for (int issue = 1; issue <= 4; ++issue) Create(issue);
  const ClaimLimits one{1, 1'000, 100};
  EXPECT_TRUE(Claim(one, "a"));
  EXPECT_FALSE(Claim(one, "a"));
  EXPECT_TRUE(Claim(one, "b"));
  EXPECT_FALSE(Claim(one, "b"));
}

TEST_P(StoreSuite, AStepKnowsItsNode) {
  const TaskId id = Create(1);
  const auto claimed = Claim(kNoLimits, "a");
  ASSERT_TRUE(store_->StartStep(claimed->lease, MakeStep(StepKind::kAgent, "x")).ok());
  EXPECT_EQ(store_->ListSteps(id)->front().node, "a");
}

TEST_P(StoreSuite, ACheckpointTravelsByteByByte) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  EXPECT_FALSE(store_->LoadCheckpoint(id)->has_value());
  std::string bytes(70'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  ASSERT_TRUE(store_->SaveCheckpoint(claimed->lease, {{"c1"}, {"b"}, bytes}).ok());
  EXPECT_EQ(Get(id).checkpoint.value, "c1");
  auto loaded = store_->LoadCheckpoint(id);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  ASSERT_TRUE(loaded->has_value());
  EXPECT_EQ((*loaded)->commit.value, "c1");
  EXPECT_EQ((*loaded)->base.value, "b");
  EXPECT_TRUE((*loaded)->pack == bytes);
  ASSERT_TRUE(store_->SaveCheckpoint(claimed->lease, {{"c2"}, {"b"}, "short"}).ok());
  EXPECT_EQ((*store_->LoadCheckpoint(id))->pack, "short");
  // One that stays at its node leaves no older one behind, which somebody would go on from.
  ASSERT_TRUE(store_->SaveCheckpoint(claimed->lease, {{"c3"}}).ok());
  EXPECT_EQ(Get(id).checkpoint.value, "c3");
  EXPECT_FALSE(store_->LoadCheckpoint(id)->has_value());
}

TEST_P(StoreSuite, Fault_X15_AZombiesCheckpointIsRefusedWhole) {
  const TaskId id = Create(1);
  const auto zombie = Claim(kNoLimits, "a");
  ASSERT_TRUE(store_->ExpireLeases("a").ok());
  const auto heir = Claim(kNoLimits, "b");
  ASSERT_TRUE(store_->SaveCheckpoint(heir->lease, {{"good"}, {"b"}, "good"}).ok());
  EXPECT_EQ(store_->SaveCheckpoint(zombie->lease, {{"bad"}, {"b"}, "bad"}).error().code,
            ErrorCode::kLeaseLost);
  EXPECT_EQ(store_->AddNote(zombie->lease, "x").error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ((*store_->LoadCheckpoint(id))->pack, "good");
}

TEST_P(StoreSuite, ACheckpointGoesWhenTheForgeHasItOrTheTaskIsOver) {
  const TaskId over = Create(2);
  const auto claimed = Claim();
  ASSERT_TRUE(store_->SaveCheckpoint(claimed->lease, {{"c"}, {"b"}, "pack"}).ok());
  ASSERT_TRUE(Change(over, TaskChangeKind::kCancel).ok());
  EXPECT_FALSE(store_->LoadCheckpoint(over)->has_value());

  const TaskId again = Create(3);
  const auto work = Claim();
  ASSERT_TRUE(store_->SaveCheckpoint(work->lease, {{"head"}, {"b"}, "pack"}).ok());
  RunOutcome outcome;
  outcome.state = TaskState::kInReview;
  outcome.effects.push_back(MakeEffect(EffectKind::kPush, "push:3", again));
  ASSERT_TRUE(store_->FinishRun(work->lease, outcome).ok());
  EXPECT_TRUE(store_->LoadCheckpoint(again)->has_value()) << "the publisher needs it";
  PublishedFacts facts;
  facts.pushed = CommitSha{"head"};
  Finish("push:3", facts);
  EXPECT_FALSE(store_->LoadCheckpoint(again)->has_value());
}

TEST_P(StoreSuite, AFailedTaskKeepsItsCheckpointForTheNextRun) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  ASSERT_TRUE(store_->SaveCheckpoint(claimed->lease, {{"c"}, {"b"}, "pack"}).ok());
  RunOutcome outcome;
  outcome.reason = "no";
  ASSERT_TRUE(store_->FinishRun(claimed->lease, outcome).ok());
  EXPECT_TRUE(store_->LoadCheckpoint(id)->has_value());
}

TEST_P(StoreSuite, ANoteOfTheWorkerIsPartOfTheStory) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  ASSERT_TRUE(store_->AddNote(claimed->lease, "something\nhappened").ok());
  EXPECT_EQ(Story(id).back(), "something happened");
}

TEST_P(StoreSuite, AHoldIsOneNodesAtATime) {
  auto mine = store_->TryHold("duty:gc");
  ASSERT_TRUE(mine.ok()) << mine.error().message;
  ASSERT_NE(*mine, nullptr);
  EXPECT_TRUE((*mine)->Check().ok());
  const auto refused = store_->TryHold("duty:gc");
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(*refused, nullptr);
  const auto other = store_->TryHold("duty:reconcile");
  ASSERT_TRUE(other.ok());
  EXPECT_NE(*other, nullptr);
  mine->reset();
  const auto again = store_->TryHold("duty:gc");
  ASSERT_TRUE(again.ok());
  EXPECT_NE(*again, nullptr);
}

}  // namespace
}  // namespace swage
