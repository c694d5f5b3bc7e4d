// The publisher over the real store and a forge in memory: what fails is tried again when it is
// time, what cannot work ends the task with a reason, and nothing is made twice.
#include "pipeline/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/files.h"
#include "forge/work_scope.h"
#include "pipeline/effects.h"
#include "tests/harness/fake_forge.h"
#include "tests/harness/fake_workspaces.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/stub_store.h"

namespace swage {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class PublisherTest : public ::testing::Test {
 protected:
  PublisherTest() {
    Issue issue;
    issue.number = 12;
    issue.title = "Wrong answer";
    forge_.issues[12] = issue;
  }

  /// A task whose run is over and whose branch, pull request and review are to be published.
  TaskId Publishing() {
    IntakePlan plan;
    NewTask fresh;
    fresh.repo = forge_.repo.ref;
    fresh.issue_number = 12;
    fresh.text = {"Wrong answer", "It is 41.", "hash"};
    fresh.requester = {"5", "ada", false};
    fresh.branch_prefix = "swage/";
    plan.task = fresh;
    const TaskId id = store_->ApplyIntake(plan)->task;
    Publish(id);
    return id;
  }

  void Publish(TaskId id) {
    const auto claimed = store_->ClaimTask("node", 60s, {});
    ASSERT_TRUE(claimed.ok() && claimed->has_value());
    const Task& task = (*claimed)->task;
    const std::string run = std::to_string(task.run);
    const auto effect = [&](EffectKind kind, std::string payload) {
      return NewEffect{kind, std::string(Name(kind)) + ":" + run, task.repo, id,
                       std::move(payload)};
    };
    ReviewDraft review;
    review.head_sha = FakeCommit(1);
    review.marker = "review-" + run;
    review.comments = {{"f1", "a.cc", 3, "wrong"}};
    RunOutcome outcome;
    outcome.state = TaskState::kInReview;
    outcome.effects = {
        effect(EffectKind::kPush, Encode(PushEffect{task.branch, FakeCommit(1)})),
        effect(
            EffectKind::kPullRequest,
            Encode(PullRequestEffect{{task.branch, "main", "Wrong answer", "Closes #12", false}})),
        effect(EffectKind::kReview, Encode(ReviewEffect{review})),
        effect(EffectKind::kSticky, "{}")};
    ASSERT_TRUE(store_->FinishRun((*claimed)->lease, outcome).ok());
  }

  /// Rounds until nothing is due at this moment.
  void Rounds() {
    for (int i = 0; i < 50 && publisher_.RunOnce({}) > 0; ++i) {
    }
  }
  Task Get(TaskId id) { return *store_->GetTask(id); }

  TempDir dir_{"swage-publisher-"};
  ManualClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  std::unique_ptr<Store> store_ = OpenSqliteStore(dir_.path() / "swage.db", clock_).value();
  FakeForge forge_;
  FakeWorkspaces workspaces_;
  Publisher publisher_{
      *store_,
      workspaces_,
      [this](std::string_view name) { return name == "forge" ? &forge_ : nullptr; },
      redactor_,
      log_,
      clock_,
      {"https://swage.example", "/swage"}};
};

TEST_F(PublisherTest, EverythingIsMadeOnceAndTheTaskIsInReview) {
  const TaskId id = Publishing();
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
  EXPECT_EQ(Get(id).pushed, FakeCommit(1));
  EXPECT_EQ(Get(id).pr_number, 1);
  EXPECT_THAT(forge_.pulls, SizeIs(1));
  EXPECT_THAT(forge_.reviews, SizeIs(1));
  EXPECT_THAT(forge_.comments, SizeIs(1));
  EXPECT_THAT(forge_.comments.begin()->second.body, HasSubstr("in review"));
}

TEST_F(PublisherTest, WhatFailsIsTriedAgainWhenItIsTimeAndNotBefore) {
  forge_.Fail("EnsurePullRequest", MakeError(ErrorCode::kUnavailable, "503"), 2);
  const TaskId id = Publishing();
  Rounds();
  Rounds();
  EXPECT_EQ(forge_.Calls("EnsurePullRequest"), 1);
  EXPECT_THAT(forge_.reviews, IsEmpty());
  clock_.Advance(2s);
  Rounds();
  EXPECT_EQ(forge_.Calls("EnsurePullRequest"), 2);
  clock_.Advance(4s);
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
  EXPECT_THAT(forge_.pulls, SizeIs(1));
}

TEST_F(PublisherTest, AnAnswerThatWasLostIsNoSecondPullRequest) {
  forge_.Fail("EnsurePullRequest", MakeError(ErrorCode::kTimeout, "no answer"), 1, /*after=*/true);
  const TaskId id = Publishing();
  Rounds();
  clock_.Advance(4s);
  Rounds();
  EXPECT_EQ(forge_.Calls("EnsurePullRequest"), 1) << "it may still be under way";
  clock_.Advance(2s);
  Rounds();
  EXPECT_THAT(forge_.pulls, SizeIs(1));
  EXPECT_EQ(Get(id).pr_number, 1);
}

// The gate of a forge's requests notes that it asked to wait (I9); here the pause is what counts.
TEST_F(PublisherTest, NothingIsTakenForAForgeThatIsPaused) {
  const TaskId id = Publishing();
  ASSERT_TRUE(
      store_->NoteForgeFailure("forge", {PauseCause::kLimit, 90s, "429", false}, {}, 0).ok());
  clock_.Advance(89s);
  Rounds();
  EXPECT_THAT(forge_.calls, IsEmpty());
  EXPECT_THAT(workspaces_.pushes, IsEmpty());
  clock_.Advance(2s);
  Rounds();
  EXPECT_TRUE(store_->ListPaces()->empty()) << "an effect that went through is proof enough";
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
}

TEST_F(PublisherTest, WaitingForAForgeThatRefusesIsNoAttempt) {
  Error limited = MakeError(ErrorCode::kRateLimited, "429");
  limited.retry_after = 90s;
  forge_.Fail("EnsurePullRequest", limited, 20);
  forge_.Fail("EnsurePullRequest", MakeError(ErrorCode::kUnauthenticated, "401"), 20);
  const TaskId id = Publishing();
  Rounds();
  EXPECT_EQ(forge_.Calls("EnsurePullRequest"), 1);
  clock_.Advance(89s);
  Rounds();
  EXPECT_EQ(forge_.Calls("EnsurePullRequest"), 1);
  for (int i = 0; i < 40; ++i) {
    clock_.Advance(91s);
    Rounds();
  }
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
}

TEST_F(PublisherTest, WhatTheTokenMayNotDoPausesThatRepositoryAlone) {
  forge_.Fail("EnsurePullRequest", MakeError(ErrorCode::kDenied, "403"));
  const TaskId id = Publishing();
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kRunning) << "the task is kept";
  const auto paces = store_->ListPaces();
  ASSERT_EQ(paces->size(), 1u);
  EXPECT_EQ(paces->front().pace.scope, RepoScope(forge_.repo.ref));
  EXPECT_EQ(paces->front().pace.cause, PauseCause::kRefused);
  EXPECT_THAT(forge_.comments, SizeIs(1)) << "comments are no matter of pushing rights";
  clock_.Advance(2min);
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
  EXPECT_TRUE(store_->ListPaces()->empty());
}

// An App's installation that is suspended: nothing of the task is lost, whatever the kind of write.
TEST_F(PublisherTest, ARepositoryThatIsLockedOutKeepsEveryEffectUntilItIsLifted) {
  Error locked = MakeError(ErrorCode::kDenied, "suspended");
  locked.retry_after = 60s;
  for (const char* call : {"EnsurePullRequest", "EnsureReview", "EnsureComment"}) {
    forge_.Fail(call, locked, 12);
  }
  const TaskId id = Publishing();
  for (int i = 0; i < 100; ++i) {
    Rounds();
    clock_.Advance(61s);
  }
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
  EXPECT_THAT(forge_.comments, Not(IsEmpty()));
  EXPECT_THAT(*store_->ListFailedEffects(10), IsEmpty());
}

TEST_F(PublisherTest, ABranchThatSomebodyChangedIsLeftAloneAndTheTaskSaysSo) {
  workspaces_.push_failures.push_back(MakeError(ErrorCode::kConflict, "stale info"));
  const TaskId id = Publishing();
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kFailed);
  EXPECT_THAT(Get(id).reason, HasSubstr("commits that are not the bot's"));
  EXPECT_THAT(workspaces_.pushes, SizeIs(1));
  EXPECT_THAT(forge_.pulls, IsEmpty());
}

// X29: the database is older than the branch.
TEST_F(PublisherTest, ABranchOfItsOwnIsTakenOverFromWhatTheForgeHolds) {
  workspaces_.push_failures.push_back(MakeError(ErrorCode::kConflict, "stale info"));
  workspaces_.own_branch = FakeCommit(9);
  const TaskId id = Publishing();
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
  ASSERT_THAT(workspaces_.pushes, SizeIs(2));
  EXPECT_EQ(workspaces_.pushes[1].expected, FakeCommit(9));
  EXPECT_EQ(Get(id).pushed, FakeCommit(1));
}

// The publisher's node was asleep; somebody else has carried on.
TEST_F(PublisherTest, WhoHasLostTheHoldTakesNoBranchOver) {
  class Interloper final : public FakeWorkspaces {
   public:
    std::function<void()> meanwhile;
    Result<void> Push(const PushRequest& request, std::stop_token stop) override {
      if (pushes.empty()) meanwhile();
      return FakeWorkspaces::Push(request, std::move(stop));
    }
  } workspaces;
  workspaces.push_failures.push_back(MakeError(ErrorCode::kConflict, "stale info"));
  workspaces.own_branch = FakeCommit(9);
  workspaces.meanwhile = [this] {
    clock_.Advance(31s);
    for (const Effect& e : *store_->TakeEffects({"other", 10})) {
      PublishedFacts facts;
      facts.pushed = FakeCommit(1);
      if (e.what.kind == EffectKind::kPush) {
        ASSERT_TRUE(store_->FinishEffect(e, "{}", facts).ok());
      }
    }
  };
  Publisher sleepy(*store_, workspaces, [this](std::string_view) { return &forge_; }, redactor_,
                   log_, clock_, {"", "/swage", "sleepy", {}, {}});
  const TaskId id = Publishing();
  sleepy.RunOnce({});
  EXPECT_THAT(workspaces.pushes, SizeIs(1)) << "nothing was pushed over the other's work";
  EXPECT_NE(Get(id).state, TaskState::kFailed);
}

TEST_F(PublisherTest, WhoHasLostTheHoldSendsNothingMore) {
  Publisher* carrying = nullptr;
  class Slow final : public FakeWorkspaces {
   public:
    std::function<void()> meanwhile;
    Result<void> Push(const PushRequest& request, std::stop_token stop) override {
      meanwhile();
      pushes.push_back(request);
      if (stop.stop_requested()) return MakeError(ErrorCode::kCancelled, "stopped");
      return Ok();
    }
  } workspaces;
  workspaces.meanwhile = [&] {
    carrying->RenewHolds();
    clock_.Advance(20s);
    carrying->RenewHolds();
    clock_.Advance(20s);  // renewed, so nobody else has it
    EXPECT_TRUE(store_->TakeEffects({"other", 10, 30s})->empty());
    clock_.Advance(31s);
    EXPECT_FALSE(store_->TakeEffects({"other", 10, 30s})->empty());
    carrying->RenewHolds();
  };
  Publisher publisher(*store_, workspaces, [this](std::string_view) { return &forge_; }, redactor_,
                      log_, clock_, {"", "/swage", "slow", {}, {}});
  carrying = &publisher;
  const TaskId id = Publishing();
  for (const TakenEffect& taken : publisher.Take(10, 0)) EXPECT_TRUE(publisher.Carry(taken, {}));
  const auto taken = publisher.Take(10, 1);
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_FALSE(publisher.Carry(taken[0], {}));
  EXPECT_TRUE(Get(id).pushed.value.empty());
}

/// A forge whose comment is a look and a write, as with the real ones: what happens between them?
class TwoStepForge final : public FakeForge {
 public:
  std::function<void()> between = [] {};
  Result<Comment> EnsureComment(const RepoRef& ref, const Thread& thread, std::string_view marker,
                                std::string_view body, std::string_view id) override {
    ++looks;
    if (comments.contains(std::string(marker))) return comments.at(std::string(marker));
    std::exchange(between, [] {})();
    SWAGE_RETURN_IF_ERROR(WorkScope::Check(true));
    ++writes;
    return FakeForge::EnsureComment(ref, thread, marker, body, id);
  }
  int looks = 0;
  int writes = 0;
};

class HoldAgeTest : public PublisherTest {
 protected:
  HoldAgeTest() { AddComment("c"); }
  void AddComment(const std::string& key) {
    const CommentEffect comment{{ThreadKind::kIssue, 12}, "m", "text"};
    const NewEffect effect{EffectKind::kComment, key, forge_.repo.ref, {}, Encode(comment)};
    EXPECT_TRUE(store_->AddEffects({effect}).ok());
  }
  Publisher Make(const std::string& node) {
    return Publisher(*store_, workspaces_, [this](std::string_view) { return &two_step_; },
                     redactor_, log_, clock_, {"", "/swage", node, {}, {}});
  }
  TwoStepForge two_step_;
};

// X15: it stood still after its look; the other has looked and written meanwhile.
TEST_F(HoldAgeTest, WhoStoodStillBetweenLookAndWriteWritesNothing) {
  Publisher sleepy = Make("sleepy");
  Publisher other = Make("other");
  two_step_.between = [&] {
    clock_.Advance(31s);
    EXPECT_EQ(other.RunOnce({}), 1);
  };
  EXPECT_EQ(sleepy.RunOnce({}), 1);
  EXPECT_EQ(two_step_.writes, 1);
  EXPECT_EQ(store_->Counts()->pending_effects, 0);
  EXPECT_TRUE(store_->ListFailedEffects(10)->empty());
}

// The whole process stood still, and the thread that takes was the first to go on.
TEST_F(HoldAgeTest, WhatOneThreadHasTakenAnewAnotherDoesNotWrite) {
  Publisher publisher = Make("node");
  two_step_.between = [&] {
    clock_.Advance(31s);
    EXPECT_EQ(publisher.RunOnce({}), 1);
  };
  publisher.RunOnce({});
  EXPECT_EQ(two_step_.looks, 2);
  EXPECT_EQ(two_step_.writes, 1);
}

// Nobody may have taken it yet, but somebody could by the time the write arrives.
TEST_F(HoldAgeTest, AHoldThatIsTooOldGoesBackAndTheEffectBeginsWithItsLook) {
  Publisher publisher = Make("node");
  two_step_.between = [&] { clock_.Advance(Publisher::kSelfFence); };
  EXPECT_EQ(publisher.RunOnce({}), 2) << "given back, and taken again";
  EXPECT_EQ(two_step_.looks, 2);
  EXPECT_EQ(two_step_.writes, 1);
}

TEST_F(HoldAgeTest, ARenewalMakesAHoldYoung) {
  Publisher publisher = Make("node");
  two_step_.between = [&] {
    clock_.Advance(Publisher::kSelfFence - 1ms);
    publisher.RenewHolds();
    clock_.Advance(Publisher::kSelfFence - 1ms);
  };
  EXPECT_EQ(publisher.RunOnce({}), 1);
  EXPECT_EQ(two_step_.looks, 1);
}

// A hold begins when it is asked for: the process may stand still before it hears of it.
TEST_F(HoldAgeTest, WhatWasTakenLongAgoIsNotWritten) {
  Publisher publisher = Make("node");
  const auto taken = publisher.Take(1, 1);
  ASSERT_THAT(taken, SizeIs(1));
  clock_.Advance(Publisher::kSelfFence);
  EXPECT_TRUE(publisher.Carry(taken[0], {}));
  EXPECT_EQ(two_step_.writes, 0);
  EXPECT_EQ(store_->Counts()->pending_effects, 1);
}

TEST_F(PublisherTest, APushIsHeldBackLikewise) {
  const TaskId id = Publishing();
  for (const TakenEffect& taken : publisher_.Take(10, 1)) {
    if (taken.effect.what.kind != EffectKind::kPush) continue;
    clock_.Advance(Publisher::kSelfFence);
    EXPECT_TRUE(publisher_.Carry(taken, {}));
  }
  EXPECT_THAT(workspaces_.pushes, IsEmpty());
  clock_.Advance(31s);
  Rounds();
  EXPECT_THAT(workspaces_.pushes, SizeIs(1));
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
}

TEST_F(PublisherTest, AClosedPullRequestIsNotOpenedAgain) {
  const TaskId id = Publishing();
  Rounds();
  forge_.pulls[0].state = PullRequestState::kClosed;  // and the word of it was lost
  IntakePlan again;
  again.changes.push_back({id, TaskChangeKind::kRequeue, RunKind::kFix, "more", "ada", ""});
  ASSERT_TRUE(store_->ApplyIntake(again).ok());
  Publish(id);
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kFailed);
  EXPECT_THAT(Get(id).reason, HasSubstr("closed by a person"));
  EXPECT_THAT(forge_.pulls, SizeIs(1));
  EXPECT_THAT(forge_.reviews, SizeIs(1));
}

// I6: the webhook may be lost, so the issue is looked at once more.
TEST_F(PublisherTest, NoPullRequestForAnIssueThatIsClosedByNow) {
  const TaskId id = Publishing();
  forge_.issues[12].open = false;
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kCancelled);
  EXPECT_THAT(Get(id).reason, HasSubstr("closed before its pull request"));
  EXPECT_THAT(forge_.pulls, IsEmpty());
}

TEST_F(PublisherTest, AnOrnamentThatFailsDoesNotFailTheTask) {
  forge_.Fail("EnsureReview", MakeError(ErrorCode::kDenied, "403"));
  const TaskId id = Publishing();
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
}

// An operator who reads what was given up has nothing to do about it.
TEST_F(PublisherTest, WhatWouldBeSaidOnADeletedIssueIsNotGivenUpButOver) {
  Publishing();
  forge_.issues.clear();
  forge_.Fail("EnsureComment", MakeError(ErrorCode::kNotFound, "410"), 10);
  for (int i = 0; i < 10; ++i, clock_.Advance(60s)) Rounds();
  EXPECT_THAT(*store_->ListFailedEffects(10), IsEmpty());
  EXPECT_EQ(forge_.Calls("EnsureComment"), 4) << "tried as ever, then over";
}

TEST_F(PublisherTest, WhoCannotLookWhetherAnIssueIsGoneLooksAgain) {
  Publishing();
  forge_.issues.clear();
  forge_.Fail("EnsureComment", MakeError(ErrorCode::kNotFound, "410"), 10);
  forge_.Fail("GetRepo", MakeError(ErrorCode::kCancelled, "the server stops"));
  for (int i = 0; i < 10; ++i, clock_.Advance(60s)) Rounds();
  EXPECT_THAT(*store_->ListFailedEffects(10), IsEmpty());
  EXPECT_EQ(forge_.Calls("EnsureComment"), 5);
}

TEST_F(PublisherTest, WhatARepositoryOutOfSightDoesNotTakeIsGivenUp) {
  Publishing();
  forge_.issues.clear();
  forge_.Fail("EnsureComment", MakeError(ErrorCode::kNotFound, "404"), 10);
  forge_.Fail("GetRepo", MakeError(ErrorCode::kNotFound, "404"), 10);
  for (int i = 0; i < 10; ++i, clock_.Advance(60s)) Rounds();
  EXPECT_THAT(*store_->ListFailedEffects(10), SizeIs(1));
}

TEST_F(PublisherTest, StoppedWhilePublishingNothingMoreIsMade) {
  const TaskId id = Publishing();
  IntakePlan stop;
  stop.changes.push_back(
      {id, TaskChangeKind::kCancel, RunKind::kFix, "", "ada", "ada asked to stop"});
  ASSERT_TRUE(store_->ApplyIntake(stop).ok());
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kCancelled);
  EXPECT_THAT(workspaces_.pushes, IsEmpty());
  EXPECT_THAT(forge_.pulls, IsEmpty());
}

TEST_F(PublisherTest, SecretsAreMaskedInWhatIsSent) {
  redactor_.Add("hunter2-hunter2");
  ASSERT_TRUE(store_
                  ->AddEffects({{EffectKind::kComment,
                                 "c",
                                 forge_.repo.ref,
                                 {},
                                 Encode(CommentEffect{
                                     {ThreadKind::kIssue, 12}, "m", "it says hunter2-hunter2"})}})
                  .ok());
  Rounds();
  EXPECT_EQ(forge_.comments.at("m").body, "it says [redacted]");
}

TEST_F(PublisherTest, AnExceptionIsAFailureOfThatEffectAlone) {
  Publisher publisher(*store_, workspaces_,
                      [](std::string_view) -> Forge* { throw std::runtime_error("boom"); },
                      redactor_, log_, clock_, {"", "/swage"});
  const TaskId id = Publishing();
  EXPECT_GT(publisher.RunOnce({}), 0);
  EXPECT_EQ(Get(id).state, TaskState::kRunning);
}

// A store that cannot be written must not make the publisher ask the forge over and over.
TEST_F(PublisherTest, ARoundOfWhichNothingCouldBeNotedSaysSo) {
  class Unwritable final : public StubStore {
   public:
    Result<std::vector<Effect>> TakeEffects(const TakeRequest&) override {
      Effect effect;
      effect.what.kind = EffectKind::kReaction;
      effect.what.repo.forge = "elsewhere";
      return std::vector<Effect>{effect};
    }
  } store;
  Publisher publisher(store, workspaces_, [](std::string_view) { return nullptr; }, redactor_, log_,
                      clock_, {"", "/swage"});
  EXPECT_EQ(publisher.RunOnce({}), 0);
}

}  // namespace
}  // namespace swage
