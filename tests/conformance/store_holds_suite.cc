// Holds and paces: two takers never get the same, a hold that is over frees what it held, and a
// forge that is paused keeps back its own work only.
#include <thread>

#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using namespace std::chrono_literals;
using Keys = std::vector<std::string>;

Keys KeysOf(const std::vector<Effect>& effects) {
  Keys keys;
  for (const Effect& effect : effects) keys.push_back(effect.what.key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

TEST_P(StoreSuite, WhatIsHeldIsNotTakenAgain) {
  Add({MakeEffect(EffectKind::kComment, "a", {}), MakeEffect(EffectKind::kComment, "b", {})});
  const auto first = Take("n1", 1);
  const auto second = Take("n2");
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_NE(first[0].what.key, second[0].what.key);
  EXPECT_TRUE(Take("n1").empty());
}

TEST_P(StoreSuite, ManyTakersShareTheWorkAndNoneGetsTheSame) {
  constexpr int kEffects = 60;
  std::vector<NewEffect> effects;
  for (int i = 0; i < kEffects; ++i) {
    effects.push_back(MakeEffect(EffectKind::kComment, "e" + std::to_string(i), {}));
  }
  Add(effects);
  std::vector<Keys> got(4);
  {
    std::vector<std::jthread> takers;
    for (std::size_t n = 0; n < got.size(); ++n) {
      takers.emplace_back([&, n] {
        for (int round = 0; round < 200; ++round) {
          const auto taken = store_->TakeEffects({"n" + std::to_string(n), 3, 30s});
          ASSERT_TRUE(taken.ok()) << taken.error().message;
          for (const Effect& effect : *taken) got[n].push_back(effect.what.key);
        }
      });
    }
  }
  Keys all;
  for (const Keys& keys : got) all.insert(all.end(), keys.begin(), keys.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all.size(), static_cast<std::size_t>(kEffects));
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
}

TEST_P(StoreSuite, AHoldThatIsOverFreesTheEffectAndFencesItsFormerHolder) {
  const TaskId id = Publishing(1, {EffectKind::kPush, EffectKind::kPullRequest});
  const auto first = Take("n1");
  ASSERT_EQ(KeysOf(first), Keys{"push:1"});
  clock_.Advance(30s);
  const auto second = Take("n2");
  ASSERT_EQ(KeysOf(second), Keys{"push:1"});
  PublishedFacts facts;
  facts.pushed = CommitSha{"abc"};
  EXPECT_EQ(store_->FinishEffect(first[0], "{}", facts).error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(id).pushed.value, "abc") << "what is at the forge is there";
  EXPECT_EQ(store_->RetryEffect(first[0], "x", 1s, Blame::kItself).error().code,
            ErrorCode::kLeaseLost);
  EXPECT_EQ(store_->FailEffect(first[0], "x", true).error().code, ErrorCode::kLeaseLost);
  EXPECT_TRUE(store_->FinishEffect(second[0], "{}", {}).ok());
  EXPECT_EQ(store_->FinishEffect(first[0], "{}", {}).error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(KeysOf(Take("n1")), Keys{"pull_request:1"});
}

TEST_P(StoreSuite, ALateResultCountsWhileNobodyElseHasTakenOver) {
  Add({MakeEffect(EffectKind::kComment, "c", {})});
  const auto taken = Take("n1");
  clock_.Advance(10min);
  EXPECT_TRUE(store_->FinishEffect(taken.at(0), "{}", {}).ok());
  EXPECT_TRUE(Due().empty());
}

TEST_P(StoreSuite, AHeldEffectKeepsBackTheLaterOnesOfItsTask) {
  Publishing(1, {EffectKind::kPush, EffectKind::kPullRequest, EffectKind::kComment});
  Publishing(2, {EffectKind::kPush});
  EXPECT_EQ(KeysOf(Take("n1")), (Keys{"comment:1", "push:1", "push:2"}));
  EXPECT_TRUE(Take("n2").empty());
}

TEST_P(StoreSuite, ARenewedHoldLastsAndALostOneIsNotRenewed) {
  const TaskId id = Publishing(1, {EffectKind::kPush});
  Add({MakeEffect(EffectKind::kComment, "c", {})});
  const auto taken = Take("n1");
  ASSERT_EQ(taken.size(), 2u);
  clock_.Advance(20s);
  EXPECT_EQ(store_->RenewHolds(taken, 30s)->size(), 2u);
  clock_.Advance(20s);
  EXPECT_TRUE(Take("n2").empty());
  ASSERT_TRUE(Change(id, TaskChangeKind::kCancel).ok());
  const auto held = store_->RenewHolds(taken, 30s);
  ASSERT_EQ(held->size(), 1u) << "what was superseded is nobody's";
  clock_.Advance(31s);
  ASSERT_EQ(KeysOf(Take("n2")), Keys{"c"});
  EXPECT_TRUE(store_->RenewHolds(taken, 30s)->empty());
}

TEST_P(StoreSuite, WhatIsReleasedIsFreeAtOnce) {
  Add({MakeEffect(EffectKind::kComment, "a", {}), MakeEffect(EffectKind::kComment, "b", {})});
  Take("n1", 1);
  Take("n2", 1);
  ASSERT_TRUE(store_->ReleaseEffects("n1").ok());
  EXPECT_EQ(Take("n3").size(), 1u) << "only n1's";
}

TEST_P(StoreSuite, ARetryCountsOnlyWhenTheEffectIsToBlame) {
  Add({MakeEffect(EffectKind::kComment, "c", {})});
  ASSERT_TRUE(store_->RetryEffect(Take("n").at(0), "401", 5s, Blame::kForge).ok());
  EXPECT_TRUE(Take("n").empty());
  clock_.Advance(5s);
  const auto again = Take("n");
  ASSERT_EQ(again.size(), 1u) << "a retry ends the hold";
  EXPECT_EQ(again[0].attempts, 0);
  EXPECT_EQ(again[0].error, "401");
  ASSERT_TRUE(store_->RetryEffect(again[0], "x", 0s, Blame::kItself).ok());
  EXPECT_EQ(Take("n").at(0).attempts, 1);
}

TEST_P(StoreSuite, AStickyAskedForWhileItWasSentIsFreeAfterIt) {
  const TaskId id = Create(1);
  Add({MakeEffect(EffectKind::kSticky, "", id)});
  const auto sent = Take("n1");
  Add({MakeEffect(EffectKind::kSticky, "", id)});
  EXPECT_TRUE(Take("n2").empty());
  ASSERT_TRUE(store_->FinishEffect(sent.at(0), "{}", {}).ok());
  EXPECT_EQ(Take("n2").size(), 1u);
}

TEST_P(StoreSuite, WhoStillCarriesWhatWasSupersededDoesNotEndItsSuccessor) {
  const TaskId id = Publishing(1, {EffectKind::kPush});
  const auto old = Take("n1");
  ASSERT_TRUE(Change(id, TaskChangeKind::kCancel).ok());
  ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue).ok());
  RunOutcome outcome{TaskState::kInReview, "", {}, {}};
  outcome.effects = {MakeEffect(EffectKind::kPush, "push:1", id)};
  ASSERT_TRUE(store_->FinishRun(Claim()->lease, outcome).ok());
  EXPECT_EQ(store_->FinishEffect(old.at(0), "{}", {}).error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(id).state, TaskState::kRunning);
  clock_.Advance(31s);
  EXPECT_EQ(KeysOf(Take("n2")), Keys{"push:1"});
}

TEST_P(StoreSuite, PushesAreTakenAsFarAsThereIsRoomForThem) {
  Publishing(1, {EffectKind::kPush});
  Publishing(2, {EffectKind::kPush});
  Add({MakeEffect(EffectKind::kComment, "c", {})});
  EXPECT_EQ(KeysOf(Take("n", 100, 0)), Keys{"c"});
  EXPECT_EQ(Take("n", 100, 1).size(), 1u);
  EXPECT_EQ(Take("n", 100, 5).size(), 1u);
}

TEST_P(StoreSuite, DeliveriesAreHeldToo) {
  ASSERT_TRUE(*store_->AddDelivery({"forge", "a", "e", "body a"}));
  ASSERT_TRUE(*store_->AddDelivery({"forge", "b", "e", "body b"}));
  const auto first = TakeInbox("n1", 1);
  const auto second = TakeInbox("n2");
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(first[0].what.body, "body a");
  EXPECT_EQ(second[0].what.body, "body b");
  EXPECT_TRUE(TakeInbox("n1").empty());
  ASSERT_TRUE(store_->ReleaseDeliveries("n1").ok());
  EXPECT_EQ(TakeInbox("n3").size(), 1u);
  clock_.Advance(30s);
  EXPECT_EQ(TakeInbox("n3").size(), 2u);
  ASSERT_TRUE(store_->DeferDelivery(first[0].id, "down", 1s, Blame::kForge).ok());
  clock_.Advance(1s);
  const auto again = TakeInbox("n1");
  ASSERT_EQ(again.size(), 1u) << "deferring ends the hold";
  EXPECT_EQ(again[0].attempts, 0);
}

TEST_P(StoreSuite, ADeliveryDecidedByTheLaterHolderStaysDecided) {
  ASSERT_TRUE(*store_->AddDelivery({"forge", "a", "e", "b"}));
  IntakePlan plan;
  plan.delivery = TakeInbox("n1").at(0).id;
  plan.task = Issue(1);
  clock_.Advance(30s);
  ASSERT_EQ(TakeInbox("n2").size(), 1u);
  EXPECT_TRUE(Apply(plan).created);
  EXPECT_FALSE(Apply(plan).created);
  EXPECT_TRUE(TakeInbox("n3").empty());
}

// --- paces

TEST_P(StoreSuite, APausedForgeKeepsBackItsOwnWorkOnly) {
  Add({CommentAt("north", "n"), CommentAt("south", "s")});
  ASSERT_TRUE(*store_->AddDelivery({"north", "a", "e", "b"}));
  ASSERT_TRUE(*store_->AddDelivery({"south", "a", "e", "b"}));
  Pause("north", 90s);
  EXPECT_EQ(KeysOf(Take("n")), Keys{"s"});
  const auto inbox = TakeInbox("n");
  ASSERT_EQ(inbox.size(), 1u);
  EXPECT_EQ(inbox[0].what.forge, "south");
  EXPECT_EQ(store_->GetPace("north")->left, 90s);
  EXPECT_EQ(store_->GetPace("south")->left, 0s);
  ASSERT_EQ(store_->ListPaces()->size(), 1u);
  EXPECT_EQ(store_->ListPaces()->front().pace.reason, "429");
  clock_.Advance(89s);
  EXPECT_TRUE(KeysOf(Take("late")) == Keys{"s"}) << "its hold is over, and that is all";
}

TEST_P(StoreSuite, AfterAPauseOneProbeGoesFirst) {
  Add({CommentAt("north", "a"), CommentAt("north", "b"), CommentAt("north", "c")});
  Pause("north", 5s);
  clock_.Advance(5s);
  const auto probe = Take("n1");
  ASSERT_EQ(probe.size(), 1u);
  EXPECT_EQ(probe[0].probes, Keys{"north"});
  EXPECT_TRUE(Take("n2").empty());
  EXPECT_EQ(store_->GetPace("north")->left, 0s) << "the probe may pass";
  clock_.Advance(30s);
  EXPECT_EQ(Take("n2").size(), 1u) << "a probe that is never heard of again is replaced";
  const auto change = store_->NoteForgeSuccess("north", true);
  ASSERT_TRUE(change.ok());
  EXPECT_EQ(change->before.breaker, Breaker::kHalfOpen);
  EXPECT_EQ(change->after.breaker, Breaker::kClosed);
  EXPECT_EQ(Take("n3").size(), 2u);
  EXPECT_TRUE(store_->ListPaces()->empty());
}

TEST_P(StoreSuite, DeliveriesWaitForThePauseAndForNoProbe) {
  Add({CommentAt("north", "a")});
  ASSERT_TRUE(*store_->AddDelivery({"north", "a", "e", "b"}));
  ASSERT_TRUE(*store_->AddDelivery({"north", "b", "e", "b"}));
  ASSERT_TRUE(store_->NoteForgeFailure("north", {PauseCause::kLimit, 5s, "403", true}, {}, 0).ok());
  EXPECT_TRUE(TakeInbox("n").empty()) << "the pause itself is for everything";
  clock_.Advance(5s);
  ASSERT_EQ(Take("n").size(), 1u);
  EXPECT_EQ(TakeInbox("n").size(), 2u);
  EXPECT_EQ(store_->NoteForgeSuccess("north", false)->after.breaker, Breaker::kOpen);
  EXPECT_EQ(store_->NoteForgeSuccess("north", true)->after.breaker, Breaker::kClosed);
}

TEST_P(StoreSuite, WhatOneRepositoryRefusesKeepsBackItsPushesOnly) {
  const TaskId one = Create(1, 1);
  const TaskId two = Create(2, 2);
  NewEffect elsewhere = MakeEffect(EffectKind::kPush, "p2", two);
  elsewhere.repo = Repo(2);
  Add({MakeEffect(EffectKind::kPush, "p1", one), MakeEffect(EffectKind::kComment, "c1", one),
       elsewhere});
  ASSERT_TRUE(
      store_->NoteForgeFailure(RepoScope(Repo(1)), {PauseCause::kRefused, 0s, "403", false}, {}, 0)
          .ok());
  EXPECT_EQ(KeysOf(Take("n")), (Keys{"c1", "p2"}));
  clock_.Advance(61s);
  EXPECT_EQ(KeysOf(Take("n")), (Keys{"c1", "p1", "p2"}));
}

TEST_P(StoreSuite, WorkForAForgeThatIsLeftAloneIsNotClaimed) {
  const TaskId one = Create(1, 1);
  const TaskId two = Create(2, 2);
  Pause(RepoScope(Repo(1)), 10s);
  EXPECT_EQ(Claim()->task.id, two);
  EXPECT_FALSE(Claim().has_value());
  Pause("forge", 100s);
  clock_.Advance(60s);  // the lease of the second is over, the pause of the first repository too
  EXPECT_FALSE(Claim().has_value());
  clock_.Advance(40s);
  EXPECT_EQ(Claim()->task.id, two) << "what was begun comes first";
  EXPECT_EQ(Claim()->task.id, one);
}

TEST_P(StoreSuite, FiveFailuresInARowOpenTheBreakerAndPausesSurviveARestart) {
  for (int i = 1; i <= 5; ++i) {
    const auto change =
        store_->NoteForgeFailure("north", {PauseCause::kDown, 0s, "503", false}, {}, 0);
    ASSERT_TRUE(change.ok());
    EXPECT_EQ(change->after.breaker, i < 5 ? Breaker::kClosed : Breaker::kOpen);
    EXPECT_EQ(change->left, i < 5 ? 0s : 5s);
  }
  Reopen();
  EXPECT_EQ(store_->GetPace("north")->pace.breaker, Breaker::kOpen);
  EXPECT_EQ(store_->GetPace("north")->left, 5s);
}

TEST_P(StoreSuite, WritesAreReservedOneGapApartWhoeverAsks) {
  const Cost write{Cost::kWritePoints, true, true};
  const Allowance gap{.write_gap = 1s};
  EXPECT_EQ(*store_->Reserve("north", write, gap), 0s);
  EXPECT_EQ(*store_->Reserve("north", write, gap), 1s);
  EXPECT_EQ(*store_->Reserve("south", write, gap), 0s);
  clock_.Advance(500ms);
  EXPECT_EQ(*store_->Reserve("north", write, gap), 1'500ms);
  clock_.Advance(1min);
  EXPECT_EQ(*store_->Reserve("north", write, gap), 0s);
}

TEST_P(StoreSuite, WhatAForgeAllowsIsSpentOnceAndRemembered) {
  const Cost write{Cost::kWritePoints, true, true};
  const Allowance allowance{.write_gap = 0s, .points_per_minute = 60, .content_per_hour = 4};
  EXPECT_EQ(*store_->Reserve("north", write, allowance), 0s);
  EXPECT_EQ(*store_->Reserve("north", write, allowance), 20min);
  EXPECT_EQ(*store_->Reserve("north", write, allowance), 20min) << "in vain costs nothing";
  const Cost reads{15, false, false};
  EXPECT_EQ(*store_->Reserve("north", reads, allowance), 6'667ms) << "five points are spent";
  EXPECT_EQ(store_->GetPace("north")->pace.breaker, Breaker::kClosed);
  EXPECT_EQ(*store_->Reserve("south", write, allowance), 0s);
  clock_.Advance(20min);
  EXPECT_EQ(*store_->Reserve("north", write, allowance), 0s);
}

}  // namespace

}  // namespace swage
