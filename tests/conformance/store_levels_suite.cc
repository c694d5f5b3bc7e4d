// What a store promises about levels of isolation: they never fall, each step keeps its reasons,
// claims keep to what a node can give, and who waits for a level goes on when there is one.
#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using enum IsolationLevel;
using std::chrono::seconds;

constexpr ClaimLimits Giving(LevelSet levels) {
  ClaimLimits limits = kNoLimits;
  limits.levels = levels;
  return limits;
}
constexpr LevelSet kPlain{kShared, kWorktree};
constexpr LevelSet kBoxed{kShared, kWorktree, kSandbox};

TEST_P(StoreSuite, ATaskHasNoLevelUntilOneIsChosen) {
  const TaskId id = Create(1);
  EXPECT_EQ(Get(id).level, std::nullopt);
  EXPECT_TRUE(store_->ListLevels(id)->empty());
  const auto claimed = Claim();
  EXPECT_EQ(claimed->task.level, std::nullopt);
  ASSERT_TRUE(store_->RaiseLevel(claimed->lease, LevelTo(kWorktree)).ok());
  EXPECT_EQ(Get(id).level, kWorktree);
}

TEST_P(StoreSuite, EachStepUpIsKeptWithItsReasons) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  ASSERT_TRUE(
      store_->RaiseLevel(claimed->lease, LevelTo(kWorktree, {"nothing asks for more"})).ok());
  ASSERT_TRUE(
      store_->RaiseLevel(claimed->lease, LevelTo(kSandbox, {"a lock file", "two\nlines"}, 2)).ok());
  const auto levels = store_->ListLevels(id);
  ASSERT_TRUE(levels.ok()) << levels.error().message;
  ASSERT_EQ(levels->size(), 2U);
  EXPECT_EQ(levels->front().level, kWorktree);
  EXPECT_EQ(levels->front().cycle, 0);
  EXPECT_EQ(levels->back().level, kSandbox);
  EXPECT_EQ(levels->back().reasons, (std::vector<std::string>{"a lock file", "two lines"}));
  EXPECT_EQ(levels->back().cycle, 2);
  EXPECT_EQ(levels->back().run, 1);
  EXPECT_EQ(Story(id).back(), "up to level sandbox: a lock file; two lines");
}

TEST_P(StoreSuite, ALevelNeverFallsAndTheSameOneIsNoNews) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  ASSERT_TRUE(store_->RaiseLevel(claimed->lease, LevelTo(kSandbox)).ok());
  EXPECT_EQ(store_->RaiseLevel(claimed->lease, LevelTo(kWorktree)).error().code,
            ErrorCode::kConflict);
  EXPECT_TRUE(store_->RaiseLevel(claimed->lease, LevelTo(kSandbox, {"again"})).ok());
  EXPECT_EQ(store_->ListLevels(id)->size(), 1U);
  EXPECT_EQ(Get(id).level, kSandbox);
}

TEST_P(StoreSuite, OnlyTheHolderOfTheLeaseRaisesALevel) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  ASSERT_TRUE(Change(id, TaskChangeKind::kCancel).ok());
  EXPECT_EQ(store_->RaiseLevel(claimed->lease, LevelTo(kSandbox)).error().code,
            ErrorCode::kLeaseLost);
  EXPECT_EQ(store_->AddBlockedHosts(claimed->lease, {{"a.example.com:443"}}).error().code,
            ErrorCode::kLeaseLost);
  EXPECT_EQ(store_->AddSigns(claimed->lease, {Sign::kLimitHit}).error().code,
            ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(id).level, std::nullopt);
}

TEST_P(StoreSuite, AClaimKeepsToWhatTheNodeCanGive) {
  const TaskId boxed = Begun(1, kSandbox);
  const TaskId fresh = Create(2);
  const auto plain = Claim(Giving(kPlain), "plain");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->task.id, fresh);
  EXPECT_FALSE(Claim(Giving(kPlain), "plain"));
  const auto able = Claim(Giving(kBoxed), "able");
  ASSERT_TRUE(able);
  EXPECT_EQ(able->task.id, boxed);
  EXPECT_EQ(able->task.level, kSandbox);
}

TEST_P(StoreSuite, TheOldestGoesFirstWhateverItsLevel) {
  const TaskId first = Begun(1, kWorktree);
  const TaskId second = Begun(2, kSandbox);
  const TaskId third = Create(3);
  for (const TaskId id : {first, second, third}) {
    const auto claimed = Claim();
    ASSERT_TRUE(claimed);
    EXPECT_EQ(claimed->task.id, id);
  }
}

TEST_P(StoreSuite, WhatTheNodeCannotGiveDoesNotHideARepositoryWithRoom) {
  Begun(1, kContainer, 1);
  Create(2, 2);
  ClaimLimits limits = Giving(kPlain);
  limits.concurrent_per_repo = 1;
  ASSERT_TRUE(Claim(limits, "plain"));  // repository 2 is full now
  Create(3, 2);
  const TaskId other = Create(4, 3);
  const auto claimed = Claim(limits, "plain");
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->task.id, other);
  EXPECT_FALSE(Claim(limits, "plain"));
}

TEST_P(StoreSuite, AnOrphanIsTakenOverByANodeThatGivesItsLevel) {
  const TaskId id = Create(1);
  const auto lost = Claim(Giving(kBoxed), "lost");
  ASSERT_TRUE(store_->RaiseLevel(lost->lease, LevelTo(kSandbox)).ok());
  clock_.Advance(kLease + seconds(1));
  EXPECT_FALSE(Claim(Giving(kPlain), "plain"));
  const auto heir = Claim(Giving(kBoxed), "heir");
  ASSERT_TRUE(heir);
  EXPECT_EQ(heir->task.id, id);
}

TEST_P(StoreSuite, WhoWaitsForALevelGoesOnWhenSomebodyGivesIt) {
  const TaskId id = WaitingForSandbox(1);
  EXPECT_EQ(Get(id).state, TaskState::kWaiting);
  EXPECT_TRUE(Settle(kPlain).released.empty());
  EXPECT_EQ(Settle(kBoxed).released, std::vector<TaskId>{id});
  EXPECT_EQ(Get(id).state, TaskState::kQueued);
  EXPECT_EQ(Story(id).back(), "queued: there is a node that gives level sandbox");
  EXPECT_TRUE(Settle(kBoxed).released.empty());
  const auto claimed = Claim(Giving(kBoxed));
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->task.attempt, 1) << "waiting for a node is no failed attempt";
}

TEST_P(StoreSuite, AWaitEndsWithWhateverElseHappensToTheTask) {
  const TaskId stopped = WaitingForSandbox(1);
  const TaskId again = WaitingForSandbox(2);
  ASSERT_TRUE(Change(stopped, TaskChangeKind::kCancel).ok());
  ASSERT_TRUE(Change(again, TaskChangeKind::kRequeue).ok());
  // It comes to rest for another reason, at the same level.
  const auto claimed = Claim(Giving(kBoxed));
  ASSERT_TRUE(claimed);
  RunOutcome archived;
  archived.state = TaskState::kWaiting;
  archived.reason = "the repository is archived";
  ASSERT_TRUE(store_->FinishRun(claimed->lease, archived).ok());
  EXPECT_TRUE(Settle(kBoxed).released.empty());
  EXPECT_EQ(Get(stopped).state, TaskState::kCancelled);
  EXPECT_EQ(Get(again).state, TaskState::kWaiting);
}

TEST_P(StoreSuite, WhatNobodyCanGiveBecomesWaitingWithTheReason) {
  const TaskId queued = Begun(1, kSandbox);
  const TaskId orphan = Create(2);
  const auto lost = Claim(Giving(kPlain), "lost");
  ASSERT_TRUE(lost && lost->task.id == orphan);
  ASSERT_TRUE(store_->RaiseLevel(lost->lease, LevelTo(kSandbox)).ok());
  const TaskId plain = Begun(3, kWorktree);
  EXPECT_EQ(Settle(kPlain).parked, std::vector<TaskId>{queued}) << "its worker may live";
  clock_.Advance(kLease + seconds(1));
  EXPECT_EQ(Settle(kPlain).parked, std::vector<TaskId>{orphan});
  EXPECT_EQ(Get(queued).state, TaskState::kWaiting);
  EXPECT_EQ(Get(queued).reason, "no node gives level sandbox; install bubblewrap");
  EXPECT_EQ(Get(orphan).state, TaskState::kWaiting);
  EXPECT_EQ(Renew(lost->lease).error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(plain).state, TaskState::kQueued);
  EXPECT_EQ(Settle(kBoxed).released, (std::vector<TaskId>{queued, orphan}));
}

TEST_P(StoreSuite, WhatHasNoLevelYetIsForEverybody) {
  const TaskId id = Create(1);
  EXPECT_TRUE(Settle({}).parked.empty());
  const auto claimed = Claim(Giving({}));
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->task.id, id);
}

TEST_P(StoreSuite, BlockedHostsAreCountedAndBounded) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  ASSERT_TRUE(store_->AddBlockedHosts(claimed->lease, {{"a.example.com:443", 2}, {"b:80"}}).ok());
  ASSERT_TRUE(store_->AddBlockedHosts(claimed->lease, {{"b:80", 5}}).ok());
  auto hosts = store_->ListBlockedHosts(id);
  ASSERT_TRUE(hosts.ok()) << hosts.error().message;
  ASSERT_EQ(hosts->size(), 2U);
  EXPECT_EQ(hosts->front().host, "b:80");
  EXPECT_EQ(hosts->front().times, 6);
  std::vector<BlockedHost> many;
  for (int i = 0; i < 2 * Store::kMaxBlockedHosts; ++i) many.push_back({std::to_string(i) + ":1"});
  many.push_back({"b:80", 100});
  ASSERT_TRUE(store_->AddBlockedHosts(claimed->lease, many).ok());
  hosts = store_->ListBlockedHosts(id);
  EXPECT_EQ(hosts->size(), static_cast<std::size_t>(Store::kMaxBlockedHosts));
  EXPECT_EQ(hosts->front().times, 106) << "what is known is still counted";
}

TEST_P(StoreSuite, SignsAreKeptOnceForTheRunsThatFollow) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  EXPECT_TRUE(store_->ListSigns(id)->empty());
  ASSERT_TRUE(store_->AddSigns(claimed->lease, {Sign::kLimitHit}).ok());
  ASSERT_TRUE(store_->AddSigns(claimed->lease, {Sign::kLimitHit, Sign::kAsksNetwork}).ok());
  EXPECT_EQ(*store_->ListSigns(id), (std::set<Sign>{Sign::kAsksNetwork, Sign::kLimitHit}));
  EXPECT_TRUE(store_->ListSigns(Create(2))->empty());
}

TEST_P(StoreSuite, ANodeSaysWhatItCanGiveAndWhyNotTheRest) {
  NodeInfo node;
  node.name = "a";
  node.instance = "i";
  node.levels = kPlain;
  node.lacks = "sandbox: bwrap is not installed; apt install bubblewrap";
  ASSERT_TRUE(store_->Heartbeat(node).ok());
  EXPECT_EQ(store_->ListNodes()->front().levels, kPlain);
  EXPECT_EQ(store_->ListNodes()->front().lacks, node.lacks);
  node.levels = kBoxed;
  node.lacks = "";
  ASSERT_TRUE(store_->Heartbeat(node).ok());
  EXPECT_EQ(store_->ListNodes()->front().levels, kBoxed);
  EXPECT_EQ(store_->ListNodes()->front().lacks, "");
}

}  // namespace
}  // namespace swage
