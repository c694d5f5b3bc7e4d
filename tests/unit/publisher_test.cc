// The publisher over the real store and a forge in memory: what fails is tried again when it is
// time, what cannot work ends the task with a reason, and nothing is made twice.
#include "pipeline/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/files.h"
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
  clock_.Advance(2s);
  Rounds();
  EXPECT_THAT(forge_.pulls, SizeIs(1));
  EXPECT_EQ(Get(id).pr_number, 1);
}

// I9: the order to wait is the forge's, so it holds for everything that would be sent there.
TEST_F(PublisherTest, NothingIsSentToAForgeThatAskedToWait) {
  Error limited = MakeError(ErrorCode::kRateLimited, "429");
  limited.retry_after = 90s;
  forge_.Fail("EnsureComment", limited);
  const TaskId id = Publishing();
  // The status comment comes after the push in the queue; make it the first to be tried.
  Rounds();
  const std::size_t before = forge_.calls.size();
  ASSERT_TRUE(
      store_
          ->AddEffects({{EffectKind::kReaction,
                         "r",
                         forge_.repo.ref,
                         {},
                         Encode(ReactionEffect{{ThreadKind::kIssue, 12}, "", Reaction::kEyes})}})
          .ok());
  clock_.Advance(80s);
  Rounds();
  EXPECT_EQ(forge_.calls.size(), before);
  clock_.Advance(20s);
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
  EXPECT_THAT(forge_.reactions, SizeIs(1));
}

TEST_F(PublisherTest, ABranchThatSomebodyChangedIsLeftAloneAndTheTaskSaysSo) {
  workspaces_.push_failures.push_back(MakeError(ErrorCode::kConflict, "stale info"));
  const TaskId id = Publishing();
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kFailed);
  EXPECT_THAT(Get(id).reason, HasSubstr("changed by somebody else"));
  EXPECT_THAT(workspaces_.pushes, SizeIs(1));
  EXPECT_THAT(forge_.pulls, IsEmpty());
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
  EXPECT_EQ(Get(id).state, TaskState::kFailed);
  EXPECT_THAT(Get(id).reason, HasSubstr("closed before its pull request"));
  EXPECT_THAT(forge_.pulls, IsEmpty());
}

TEST_F(PublisherTest, AnOrnamentThatFailsDoesNotFailTheTask) {
  forge_.Fail("EnsureReview", MakeError(ErrorCode::kDenied, "403"));
  const TaskId id = Publishing();
  Rounds();
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
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
    Result<std::vector<Effect>> DueEffects(int) override {
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
