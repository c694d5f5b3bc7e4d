// The outbox: order, coalescing, superseding, and how publishing ends a run.
#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using namespace std::chrono_literals;
using Keys = std::vector<std::string>;

Finding Complaint(const std::string& fingerprint) {
  return {"tests", Severity::kWarning,       "rule",     "src/a.cc",
          7,       "message " + fingerprint, fingerprint};
}

TEST_P(StoreSuite, AnEffectKeepsWhatItWasGiven) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  Add({{EffectKind::kReview, "k", Repo(), id, "{\"a\":\"\\u0000'\"}"}});
  const Effect effect = DueByKey("k");
  EXPECT_EQ(effect.what.kind, EffectKind::kReview);
  EXPECT_EQ(effect.what.repo, Repo());
  EXPECT_EQ(effect.what.task, id);
  EXPECT_EQ(effect.what.payload, "{\"a\":\"\\u0000'\"}");
  EXPECT_EQ(effect.epoch, claimed->lease.epoch);
  EXPECT_EQ(effect.state, EffectState::kPending);
  EXPECT_EQ(effect.attempts, 0);
}

TEST_P(StoreSuite, TheSameKeyTwiceIsOneEffect) {
  Add({MakeEffect(EffectKind::kComment, "c", {}), MakeEffect(EffectKind::kComment, "c", {})});
  EXPECT_EQ(Due().size(), 1u);
  Finish("c");
  Add({MakeEffect(EffectKind::kComment, "c", {})});
  EXPECT_TRUE(Due().empty()) << "what is done stays done";
}

TEST_P(StoreSuite, EffectsOfATaskAreCarriedOutInLine) {
  const TaskId id = Publishing(1, {EffectKind::kResolve, EffectKind::kReview, EffectKind::kStatus,
                                   EffectKind::kPullRequest, EffectKind::kPush});
  for (const char* key : {"push:1", "pull_request:1", "status:1", "review:1", "resolve:1"}) {
    EXPECT_EQ(DueKeys(), Keys{key});
    EXPECT_EQ(Get(id).state, TaskState::kRunning);
    EXPECT_EQ(Get(id).stage, Stage::kPublish);
    EXPECT_FALSE(Claim().has_value()) << "nobody works on what is being published";
    Finish(key);
  }
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
  EXPECT_TRUE(Get(id).lease_node.empty());
}

TEST_P(StoreSuite, AnEffectThatWaitsHoldsBackTheLaterOnesOfItsTaskOnly) {
  Publishing(1,
             {EffectKind::kPush, EffectKind::kReview, EffectKind::kComment, EffectKind::kReaction});
  Publishing(2, {EffectKind::kPush});
  Add({MakeEffect(EffectKind::kComment, "stranger", {})});
  ASSERT_TRUE(store_->RetryEffect(DueByKey("push:1"), "forge down", 30s, Blame::kItself).ok());
  EXPECT_EQ(DueKeys(), (Keys{"comment:1", "push:2", "reaction:1", "stranger"}));
  clock_.Advance(30s);
  const Effect again = DueByKey("push:1");
  EXPECT_EQ(again.attempts, 1);
  EXPECT_EQ(again.error, "forge down");
  EXPECT_EQ(DueKeys(2).size(), 2u);
}

TEST_P(StoreSuite, CommentsAndStickiesNeitherWaitNorEndARun) {
  const TaskId id = Publishing(1, {EffectKind::kPush, EffectKind::kComment, EffectKind::kSticky});
  ASSERT_TRUE(store_->RetryEffect(DueByKey("comment:1"), "x", 1h, Blame::kItself).ok());
  ASSERT_TRUE(store_->RetryEffect(DueByKey(StickyKey(id)), "x", 1h, Blame::kItself).ok());
  Finish("push:1");
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
}

TEST_P(StoreSuite, ARunWithNothingToPublishIsInReviewAtOnce) {
  EXPECT_EQ(Get(Publishing(1, {EffectKind::kComment})).state, TaskState::kInReview);
}

TEST_P(StoreSuite, AStickyEffectIsOneRowThatBecomesDueAgain) {
  const TaskId id = Create(1);
  const NewEffect sticky = MakeEffect(EffectKind::kSticky, "not read", id);
  Add({sticky, sticky, sticky});
  ASSERT_EQ(Due().size(), 1u);
  const Effect first = Due().front();
  EXPECT_EQ(first.what.key, StickyKey(id));
  ASSERT_TRUE(store_->FinishEffect(first, "{}", {}).ok());
  EXPECT_TRUE(Due().empty());
  Add({sticky});
  ASSERT_EQ(Due().size(), 1u);
  EXPECT_EQ(Due().front().id, first.id);
  EXPECT_GT(Due().front().version, first.version);
}

TEST_P(StoreSuite, AStickyEffectAskedForWhileItWasSentIsSentAgain) {
  const TaskId id = Create(1);
  Add({MakeEffect(EffectKind::kSticky, "", id)});
  const Effect sent = Due().front();
  Add({MakeEffect(EffectKind::kSticky, "", id)});
  PublishedFacts facts;
  facts.sticky_comment_id = "77";
  ASSERT_TRUE(store_->FinishEffect(sent, "{}", facts).ok());
  EXPECT_EQ(Get(id).sticky_comment_id, "77") << "facts are kept";
  ASSERT_EQ(Due().size(), 1u) << "what was asked for since then is not on the forge yet";
  ASSERT_TRUE(store_->FinishEffect(Due().front(), "{}", {}).ok());
  EXPECT_TRUE(Due().empty());
}

TEST_P(StoreSuite, AStickyEffectWaitsForItsRetryHoweverOftenItIsAskedFor) {
  const TaskId id = Create(1);
  Add({MakeEffect(EffectKind::kSticky, "", id)});
  ASSERT_TRUE(store_->RetryEffect(Due().front(), "rate limited", 1min, Blame::kItself).ok());
  Add({MakeEffect(EffectKind::kSticky, "", id)});
  EXPECT_TRUE(Due().empty()) << "I9: no request before an ordered retry time";
  clock_.Advance(1min);
  EXPECT_EQ(Due().size(), 1u);
}

TEST_P(StoreSuite, PublishedFactsReachTheTaskAndTheLedger) {
  const TaskId id = Publishing(1, {EffectKind::kPush, EffectKind::kReview},
                               {Complaint("f1"), Complaint("f2"), Complaint("f3")});
  PublishedFacts pushed;
  pushed.pushed = CommitSha{"abc"};
  Finish("push:1", pushed);
  PublishedFacts facts;
  facts.pr_number = 5;
  facts.pr_url = "http://forge/pull/5";
  facts.posted_findings = {{"f1", "T1"}, {"f2", ""}};
  Finish("review:1", facts);
  const Task task = Get(id);
  EXPECT_EQ(task.pushed.value, "abc");
  EXPECT_EQ(task.pr_number, 5);
  EXPECT_EQ(task.pr_url, "http://forge/pull/5");
  EXPECT_EQ((*store_->FindTaskByPullRequest(Repo(), 5))->id, id);
  EXPECT_FALSE(store_->FindTaskByPullRequest(Repo(2), 5)->has_value());
  EXPECT_FALSE(store_->FindTaskByPullRequest(Repo(), 0)->has_value()) << "0 is no pull request";
  const auto ledger = store_->ListFindings(id);
  ASSERT_EQ(ledger->size(), 3u);
  EXPECT_EQ((*ledger)[0].finding.message, "message f1");
  EXPECT_EQ((*ledger)[0].finding.severity, Severity::kWarning);
  EXPECT_EQ((*ledger)[0].finding.line, 7);
  EXPECT_TRUE((*ledger)[0].posted);
  EXPECT_EQ((*ledger)[0].thread_id, "T1");
  EXPECT_TRUE((*ledger)[1].posted);
  EXPECT_EQ((*ledger)[1].thread_id, "");
  EXPECT_FALSE((*ledger)[2].posted);
}

TEST_P(StoreSuite, ANewRunReplacesTheOpenFindings) {
  const TaskId id = Publishing(1, {EffectKind::kReview},
                               {Complaint("gone"), Complaint("stays"), Complaint("unseen")});
  PublishedFacts facts;
  facts.posted_findings = {{"gone", "T1"}, {"stays", "T2"}};
  Finish("review:1", facts);
  const auto rerun = [&](std::vector<Finding> findings, const std::string& key) {
    ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue, "again").ok());
    RunOutcome outcome{TaskState::kInReview, "", std::move(findings), {}};
    outcome.effects.push_back(MakeEffect(EffectKind::kResolve, key, id));
    ASSERT_TRUE(store_->FinishRun(Claim()->lease, outcome).ok());
  };
  rerun({Complaint("stays"), Complaint("new")}, "r2");
  std::vector<std::string> known;
  for (const LedgerFinding& f : *store_->ListFindings(id)) known.push_back(f.finding.fingerprint);
  std::sort(known.begin(), known.end());
  EXPECT_EQ(known, (Keys{"gone", "new", "stays"})) << "a posted one stays until it is resolved";
  PublishedFacts resolved;
  resolved.resolved_findings = {"gone"};
  Finish("r2", resolved);
  const auto find = [&](const std::string& fingerprint) {
    for (const LedgerFinding& f : *store_->ListFindings(id)) {
      if (f.finding.fingerprint == fingerprint) return f;
    }
    ADD_FAILURE() << fingerprint;
    return LedgerFinding{};
  };
  EXPECT_TRUE(find("gone").resolved);
  EXPECT_TRUE(find("stays").posted) << "posted once, known for ever";
  rerun({Complaint("gone")}, "r3");
  EXPECT_FALSE(find("gone").resolved) << "it is back, and news again";
  EXPECT_FALSE(find("gone").posted);
}

TEST_P(StoreSuite, ASupersededEffectIsFencedButItsFactsAreKept) {
  const TaskId id = Publishing(1, {EffectKind::kPush, EffectKind::kPullRequest});
  Finish("push:1");
  const Effect in_flight = DueByKey("pull_request:1");
  ASSERT_TRUE(Change(id, TaskChangeKind::kCancel).ok());
  EXPECT_TRUE(Due().empty());
  PublishedFacts facts;
  facts.pr_number = 9;
  EXPECT_EQ(store_->FinishEffect(in_flight, "{}", facts).error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(id).pr_number, 9) << "it exists at the forge";
  EXPECT_EQ(Get(id).state, TaskState::kCancelled);
  EXPECT_EQ(store_->RetryEffect(in_flight, "x", 1s, Blame::kItself).error().code,
            ErrorCode::kLeaseLost);
  EXPECT_EQ(store_->FailEffect(in_flight, "x", true).error().code, ErrorCode::kLeaseLost);
  EXPECT_TRUE(Due().empty());
}

TEST_P(StoreSuite, AnEffectThatNeverHappenedCanBeAddedAgain) {
  const TaskId id = Publishing(1, {EffectKind::kPush, EffectKind::kReview});
  ASSERT_TRUE(store_->FailEffect(DueByKey("push:1"), "token revoked", true).ok());
  ASSERT_EQ(Get(id).state, TaskState::kFailed);
  ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue).ok());
  RunOutcome outcome{TaskState::kInReview, "", {}, {}};
  outcome.effects = {{EffectKind::kPush, "push:1", Repo(), id, "{\"new\":1}"},
                     {EffectKind::kReview, "review:1", Repo(), id, "{\"new\":2}"}};
  ASSERT_TRUE(store_->FinishRun(Claim()->lease, outcome).ok());
  EXPECT_EQ(DueByKey("push:1").what.payload, "{\"new\":1}");
  EXPECT_EQ(DueByKey("push:1").attempts, 0);
  Finish("push:1");
  EXPECT_EQ(DueByKey("review:1").what.payload, "{\"new\":2}");
  Finish("review:1");
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
}

TEST_P(StoreSuite, AFailedEffectMayFailItsTask) {
  const TaskId id = Publishing(1, {EffectKind::kPush, EffectKind::kReview, EffectKind::kSticky});
  ASSERT_TRUE(store_->FailEffect(DueByKey("push:1"), "the branch is foreign", true).ok());
  EXPECT_EQ(Get(id).state, TaskState::kFailed);
  EXPECT_EQ(Get(id).reason, "the branch is foreign");
  EXPECT_EQ(DueKeys(), Keys{StickyKey(id)}) << "the rest of the line is superseded";
}

TEST_P(StoreSuite, AFailedEffectMayBePassedOver) {
  const TaskId id = Publishing(1, {EffectKind::kPush, EffectKind::kStatus});
  Finish("push:1");
  ASSERT_TRUE(store_->FailEffect(DueByKey("status:1"), "not allowed", false).ok());
  EXPECT_EQ(Get(id).state, TaskState::kInReview);
  Effect unknown;
  unknown.id = {999};
  EXPECT_EQ(store_->FailEffect(unknown, "x", false).error().code, ErrorCode::kNotFound);
}

TEST_P(StoreSuite, TheStickyCommentFollowsWhatTheStoreDecides) {
  const TaskId id = Publishing(1, {EffectKind::kPush, EffectKind::kSticky});
  Finish(StickyKey(id));
  Finish("push:1");
  ASSERT_EQ(Get(id).state, TaskState::kInReview);
  EXPECT_EQ(DueKeys(), Keys{StickyKey(id)});
}

TEST_P(StoreSuite, EffectsNeedATaskThatExistsAndAKey) {
  EXPECT_EQ(store_->AddEffects({MakeEffect(EffectKind::kPush, "p", {999})}).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(store_->AddEffects({MakeEffect(EffectKind::kSticky, "", {})}).error().code,
            ErrorCode::kInvalid);
  EXPECT_EQ(store_
                ->AddEffects({MakeEffect(EffectKind::kComment, "ok", {}),
                              MakeEffect(EffectKind::kComment, "", {})})
                .error()
                .code,
            ErrorCode::kInvalid);
  EXPECT_TRUE(Due().empty()) << "all or nothing";
}

TEST_P(StoreSuite, FinishingTwiceIsHarmless) {
  const TaskId id = Publishing(1, {EffectKind::kPush});
  const Effect push = DueByKey("push:1");
  ASSERT_TRUE(store_->FinishEffect(push, "{}", {}).ok());
  const auto story = Story(id);
  EXPECT_TRUE(store_->FinishEffect(push, "{}", {}).ok());
  EXPECT_EQ(Story(id), story);
}

TEST_P(StoreSuite, CountsAreOfAllAndOfWhatIsPending) {
  Create(1);
  ASSERT_TRUE(*store_->AddDelivery({"forge", "a", "e", "b"}));
  ASSERT_TRUE(*store_->AddDelivery({"forge", "b", "e", "b"}));
  IntakePlan plan;
  plan.delivery = PendingOf(*store_, 1)->front().id;
  Apply(plan);
  Add({MakeEffect(EffectKind::kComment, "c", {}), MakeEffect(EffectKind::kComment, "d", {})});
  Finish("c");
  const auto counts = store_->Counts();
  EXPECT_EQ(counts->deliveries, 2);
  EXPECT_EQ(counts->pending_deliveries, 1);
  EXPECT_EQ(counts->pending_effects, 1);
  EXPECT_EQ(counts->tasks, 1);
}

}  // namespace
}  // namespace swage
