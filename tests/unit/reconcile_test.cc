// Polling against a fake forge and the real store: what is found, what is left alone, and what it
// costs.
#include "pipeline/reconcile/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/files.h"
#include "tests/harness/fake_feed.h"
#include "tests/harness/fake_forge.h"
#include "tests/harness/manual_clock.h"

namespace swage {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = ThreadAct::Kind;

class ReconcileTest : public ::testing::Test {
 protected:
  ReconcileTest() {
    ForgeSettings forge;
    forge.name = "forge";
    forge.repos = {"acme/lib"};
    settings_.forges.push_back(forge);
    forge_.feed = &feed_;
    forge_.roles["5"] = Role::kWrite;
    feed_.labels = {"swage", "swage:docs", "bug"};
    settings_.intake = "poll";
  }

  Reconcile Make() {
    return Reconcile(*store_, [this](std::string_view) { return &forge_; }, settings_, clock_, log_,
                     {[this] { ++applied_; }, [this](TaskId id) { cancelled_.push_back(id); },
                      [this](Forge&, const Task&, std::stop_token) { return is_own_; }});
  }
  /// The first round is over: only news count from here on.
  void Begin(Reconcile& reconcile) {
    reconcile.PollAll({});
    clock_.Advance(30s);
    feed_.calls.clear();
    forge_.calls.clear();
  }
  void PollRounds(Reconcile& reconcile, int rounds) {
    for (int i = 0; i < rounds; ++i) {
      reconcile.PollAll({});
      clock_.Advance(30s);
    }
  }
  Issue& Open(std::int64_t number, std::vector<std::string> labels = {"swage"}) {
    Issue& issue = forge_.issues[number];
    issue.number = number;
    issue.title = "Wrong answer";
    issue.body = "It should be 42.";
    issue.labels = labels;
    for (const std::string& label : labels) Act(number, Kind::kLabeled, label);
    return issue;
  }
  void Act(std::int64_t number, Kind kind, const std::string& label = "",
           const std::string& actor = "5") {
    auto& acts = feed_.acts[number];
    acts.push_back({std::to_string(++next_id_),
                    kind,
                    {actor, "user" + actor, false},
                    label,
                    clock_.Now() + std::chrono::seconds(next_id_)});
  }
  /// The list of changes tells of the issue or pull request, as it is now.
  void Changed(std::int64_t number, ThreadKind kind = ThreadKind::kIssue) {
    ThreadChange change{{kind, number}, clock_.Now(), {}};
    if (kind == ThreadKind::kIssue) change.issue = forge_.issues[number];
    feed_.changes.push_back(change);
    feed_.etag = "etag-" + std::to_string(++next_id_);
  }
  void Say(std::int64_t number, const std::string& text, const std::string& actor = "5",
           bool edited = false) {
    FoundComment found;
    found.thread = {ThreadKind::kIssue, number};
    found.comment = {std::to_string(++next_id_), text, "", {actor, "user" + actor, false}};
    found.created = clock_.Now();
    found.edited = edited;
    feed_.comments.push_back(found);
    Changed(number);
  }
  /// A task whose pull request, number 1, is open with the head that was pushed.
  TaskId InReview(std::int64_t issue, const std::string& head) {
    IntakePlan plan;
    NewTask fresh;
    fresh.repo = forge_.repo.ref;
    fresh.issue_number = issue;
    fresh.requester = {"5", "ada", false};
    plan.task = fresh;
    const TaskId id = store_->ApplyIntake(plan)->task;
    const auto claimed = store_->ClaimTask("node", 60s, {});
    RunOutcome outcome;
    outcome.state = TaskState::kInReview;
    outcome.effects.push_back({EffectKind::kPullRequest, "pr", fresh.repo, id, "{}"});
    EXPECT_TRUE(store_->FinishRun((*claimed)->lease, outcome).ok());
    PublishedFacts facts;
    facts.pr_number = 1;
    facts.pushed = CommitSha{head};
    EXPECT_TRUE(store_->FinishEffect(store_->TakeEffects({"node", 1})->front(), "{}", facts).ok());
    PullRequest& pull = forge_.pulls.emplace_back();
    pull.number = 1;
    pull.head_sha = {head};
    return id;
  }
  std::vector<Task> Tasks() { return *store_->ListTasks({}); }
  TaskState StateOf(std::int64_t issue) {
    return (*store_->FindTaskByIssue(forge_.repo.ref, issue))->state;
  }

  TempDir dir_{"swage-reconcile-"};
  ManualClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  std::unique_ptr<Store> store_ = OpenSqliteStore(dir_.path() / "swage.db", clock_).value();
  Settings settings_;
  FakeFeed feed_;
  FakeForge forge_;
  Result<bool> is_own_ = false;
  int applied_ = 0;
  std::vector<TaskId> cancelled_;
  std::int64_t next_id_ = 0;
};

TEST_F(ReconcileTest, TheFirstRoundTakesUpOpenLabelledIssuesAndNoComments) {
  feed_.labelled = {Open(1), Open(2, {"swage:docs"}), Open(3, {"bug"})};
  feed_.comments.push_back({{ThreadKind::kIssue, 3},
                            {"77", "/swage run", "", {"5", "ada", false}},
                            clock_.Now() - 24h,
                            false});
  Reconcile reconcile = Make();
  EXPECT_EQ(reconcile.PollAll({}), 2);
  ASSERT_THAT(Tasks(), SizeIs(2));
  EXPECT_EQ(Tasks()[0].profile, "docs");
  EXPECT_EQ(Tasks()[1].text.body, "It should be 42.");
  EXPECT_EQ(Tasks()[1].requester.login, "user5");
  EXPECT_TRUE(*store_->IsByLabel(Tasks()[0].id));
  EXPECT_GT(applied_, 0);
  clock_.Advance(30s);
  Changed(3);
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), SizeIs(2));
}

// It was merged before anybody asked; no later list tells of that.
TEST_F(ReconcileTest, TheFirstRoundLooksAtThePullRequestsOfTasksThatWereGivenUp) {
  IntakePlan plan;
  NewTask fresh;
  fresh.repo = forge_.repo.ref;
  fresh.issue_number = 1;
  fresh.requester = {"5", "ada", false};
  plan.task = fresh;
  const TaskId id = store_->ApplyIntake(plan)->task;
  ASSERT_TRUE(store_->AddEffects({{EffectKind::kPullRequest, "pr", fresh.repo, id, "{}"}}).ok());
  PublishedFacts facts;
  facts.pr_number = 1;
  const auto taken = store_->TakeEffects({"node", 1});
  ASSERT_TRUE(store_->FinishEffect(taken->front(), "{}", facts).ok());
  IntakePlan stop;
  stop.changes.push_back({id, TaskChangeKind::kCancel, RunKind::kFix, "", "ada", "stopped"});
  ASSERT_TRUE(store_->ApplyIntake(stop).ok());
  PullRequest& pull = forge_.pulls.emplace_back();
  pull.number = 1;
  pull.state = PullRequestState::kMerged;
  Reconcile reconcile = Make();
  EXPECT_EQ(reconcile.PollAll({}), 1);
  EXPECT_EQ(StateOf(1), TaskState::kMerged);
}

// The database is older than the branch: what stands there may be the bot's own.
TEST_F(ReconcileTest, Fault_X29_TheBotsOwnNewerBranchIsNoTakeover) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  const TaskId id = InReview(1, "old");
  forge_.pulls[0].head_sha = {"new"};
  is_own_ = true;
  Changed(1, ThreadKind::kPullRequest);
  reconcile.PollAll({});
  EXPECT_EQ(StateOf(1), TaskState::kInReview);
  // Nobody can say now: asked again.
  is_own_ = MakeError(ErrorCode::kUnavailable, "git: the forge is out of reach");
  clock_.Advance(30s);
  Changed(1, ThreadKind::kPullRequest);
  reconcile.PollAll({});
  EXPECT_EQ(StateOf(1), TaskState::kInReview);
  is_own_ = false;
  clock_.Advance(60s);
  reconcile.PollAll({});
  EXPECT_EQ(StateOf(1), TaskState::kWaiting);
  EXPECT_EQ(store_->GetTask(id)->reason, "a human took over the branch");
}

TEST_F(ReconcileTest, AReviewIsFoundOnceAndNoneFromBeforeThePolling) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  const TaskId id = InReview(1, "head");
  forge_.roles["5"] = Role::kWrite;
  Review review;
  review.id = "31";
  review.text = {"review:31", "Nearly.", "", {"5", "ada", false}};
  review.asks_for_changes = true;
  review.at = clock_.Now() - 24h;
  forge_.submitted = review;
  feed_.reviews[1] = {review};
  Changed(1, ThreadKind::kPullRequest);
  reconcile.PollAll({});
  EXPECT_EQ(StateOf(1), TaskState::kInReview) << "an old one";
  feed_.reviews[1][0].at = clock_.Now();
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(30s);
    Changed(1, ThreadKind::kPullRequest);
    reconcile.PollAll({});
  }
  EXPECT_EQ(store_->GetTask(id)->run, 2);
  EXPECT_EQ(forge_.Calls("GetReview"), 1);
  const auto claimed = store_->ClaimTask("node", 60s, {});
  ASSERT_TRUE(claimed.ok() && claimed->has_value());
  ASSERT_THAT((*claimed)->remarks, SizeIs(1));
  EXPECT_NE((*claimed)->remarks[0].text.find("Nearly."), std::string::npos);
}

TEST_F(ReconcileTest, ALabelIsOneRequestHoweverOftenItIsSeen) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  Open(1);
  for (int i = 0; i < 5; ++i) {
    Changed(1);
    reconcile.PollAll({});
    clock_.Advance(30s);
  }
  ASSERT_THAT(Tasks(), SizeIs(1));
  // Stopped by a human: the label that still hangs there starts nothing (I6).
  IntakePlan stop;
  stop.changes.push_back(
      {Tasks()[0].id, TaskChangeKind::kCancel, RunKind::kFix, "", "ada", "stop"});
  ASSERT_TRUE(store_->ApplyIntake(stop).ok());
  Changed(1);
  reconcile.PollAll({});
  EXPECT_EQ(StateOf(1), TaskState::kCancelled);
  // Set anew, it does.
  Act(1, Kind::kUnlabeled, "swage");
  Act(1, Kind::kLabeled, "swage");
  clock_.Advance(30s);
  Changed(1);
  reconcile.PollAll({});
  EXPECT_EQ(StateOf(1), TaskState::kQueued);
  EXPECT_EQ(Tasks()[0].run, 2);
}

TEST_F(ReconcileTest, Threat_T15_NoTaskWithoutAnAuthorisedActor) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  Open(1);
  feed_.acts[1].clear();  // the forge does not say who
  Open(2);
  feed_.acts[2].back().actor = {"6", "eve", false};
  Changed(1);
  Changed(2);
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), IsEmpty());
}

TEST_F(ReconcileTest, Threat_T18_AnEditBehindTheLabelIsNotWorkedOn) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  Open(1);
  Act(1, Kind::kTextEdited);
  Changed(1);
  reconcile.PollAll({});
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), IsEmpty());
  const auto due = store_->TakeEffects({"node", 10});
  ASSERT_THAT(*due, SizeIs(1));
  EXPECT_THAT((*due)[0].what.payload, HasSubstr("edited after the label"));
}

TEST_F(ReconcileTest, ACommandIsObeyedOncePerCommentAndNeverWhenEdited) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  Open(1, {});
  Say(1, "/swage run", "5", true);
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), IsEmpty());
  clock_.Advance(30s);
  Say(1, "/swage run");
  for (int i = 0; i < 3; ++i) {
    reconcile.PollAll({});
    Changed(1);
  }
  ASSERT_THAT(Tasks(), SizeIs(1));
  EXPECT_FALSE(*store_->IsByLabel(Tasks()[0].id));
  EXPECT_EQ(forge_.Calls("GetRole"), 1);
}

TEST_F(ReconcileTest, LostClosingsAndUnlabellingsAreFound) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  Open(1);
  Open(2);
  Changed(1);
  Changed(2);
  reconcile.PollAll({});
  ASSERT_THAT(Tasks(), SizeIs(2));
  clock_.Advance(30s);
  forge_.issues[1].open = false;
  Act(1, Kind::kClosed);
  forge_.issues[2].labels.clear();
  Act(2, Kind::kUnlabeled, "swage");
  Changed(1);
  Changed(2);
  reconcile.PollAll({});
  EXPECT_EQ(StateOf(1), TaskState::kCancelled);
  EXPECT_EQ(StateOf(2), TaskState::kCancelled);
  EXPECT_THAT(Tasks()[0].reason, HasSubstr("removed by user5"));
  EXPECT_THAT(Tasks()[1].reason, HasSubstr("closed by user5"));
  EXPECT_THAT(cancelled_, SizeIs(2));
}

// A14: no list of changes tells of what is gone.
TEST_F(ReconcileTest, ADeletedIssueStopsItsAgentWithinAHalfMinute) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  Open(1);
  Changed(1);
  reconcile.PollAll({});
  ASSERT_TRUE(store_->ClaimTask("node", 60s, {})->has_value());
  clock_.Advance(30s);
  reconcile.PollAll({});
  forge_.issues.erase(1);
  feed_.changes.clear();
  clock_.Advance(30s);
  reconcile.PollAll({});
  EXPECT_EQ(StateOf(1), TaskState::kCancelled);
  EXPECT_THAT(cancelled_, SizeIs(1));
}

TEST_F(ReconcileTest, ManyRunningTasksAreAskedForLessOften) {
  constexpr int kTasks = 12;
  Reconcile reconcile = Make();
  Begin(reconcile);
  for (int i = 1; i <= kTasks; ++i) {
    Open(i);
    Changed(i);
  }
  reconcile.PollAll({});
  for (int i = 0; i < kTasks; ++i) {
    ASSERT_TRUE(store_->ClaimTask("node", 600s, {kTasks, kTasks})->has_value());
  }
  clock_.Advance(30s);
  feed_.changes.clear();
  forge_.calls.clear();
  PollRounds(reconcile, 4);
  EXPECT_EQ(forge_.Calls("GetIssue"), 2 * kTasks);
}

TEST_F(ReconcileTest, ATaskBegunByACommandNeedsNoLabel) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  Open(1, {});
  Say(1, "/swage run");
  reconcile.PollAll({});
  clock_.Advance(30s);
  Changed(1);
  reconcile.PollAll({});
  EXPECT_EQ(StateOf(1), TaskState::kQueued);
}

TEST_F(ReconcileTest, NothingNewCostsOneFreeQuestion) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  feed_.etag = "quiet";
  reconcile.PollAll({});
  EXPECT_THAT(feed_.calls, ElementsAre("ListChanges"));
  feed_.calls.clear();
  reconcile.PollAll({});
  EXPECT_THAT(feed_.calls, ElementsAre("ListChanges"));
  EXPECT_THAT(forge_.calls, IsEmpty());
}

// A list tells its times by the second: as long as that of the newest change lasts, the next one
// may leave it as it is, ETag and all.
TEST_F(ReconcileTest, AChangeInTheSecondOfTheLastOneIsFound) {
  const auto etag = [&] { return store_->GetPoll("changes:forge:77")->value().etag; };
  Reconcile reconcile = Make();
  feed_.time = clock_.Now();
  Begin(reconcile);
  Open(1, {});
  Changed(1);
  feed_.time = clock_.Now();
  for (int i = 0; i < 2; ++i) {
    reconcile.PollAll({});
    clock_.Advance(200ms);
  }
  forge_.issues[1].labels = {"swage"};
  Act(1, Kind::kLabeled, "swage");
  feed_.changes.back().issue = forge_.issues[1];
  EXPECT_EQ(reconcile.PollAll({}), 1);
  EXPECT_EQ(etag(), "");
  feed_.time = clock_.Now() + RepoPoll::kSettled;
  reconcile.PollAll({});
  EXPECT_EQ(etag(), feed_.etag);
}

TEST_F(ReconcileTest, ARestartGoesOnWhereTheLastServerWas) {
  {
    Reconcile reconcile = Make();
    Begin(reconcile);
  }
  clock_.Advance(1h);
  Open(1, {});
  Say(1, "/swage run");
  clock_.Advance(1h);
  Reconcile reconcile = Make();
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), SizeIs(1));
  EXPECT_EQ(feed_.Calls("ListLabelled"), 0);
}

TEST_F(ReconcileTest, AForgeThatIsDownIsLeftAloneForAWhile) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  feed_.failures["ListChanges"] = Error{ErrorCode::kRateLimited, "enough", 120s};
  reconcile.PollAll({});
  feed_.failures.clear();
  Open(1);
  Changed(1);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(reconcile.PollAll({}), 0);
    clock_.Advance(29s);
  }
  EXPECT_EQ(feed_.Calls("ListChanges"), 1);
  clock_.Advance(10s);
  EXPECT_EQ(reconcile.PollAll({}), 1);
}

TEST_F(ReconcileTest, WhatFailedInTheMiddleIsFoundInTheNextRound) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  Open(1);
  Open(2);
  Changed(1);
  Changed(2);
  forge_.Fail("GetRole", MakeError(ErrorCode::kTimeout, "no answer"));
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), IsEmpty());
  clock_.Advance(31s);
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), SizeIs(2));
}

TEST_F(ReconcileTest, AFailureKeepsWhatCameBeforeIt) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  const auto cursor = [&] { return store_->GetPoll("changes:forge:77")->value().cursor; };
  for (std::int64_t number = 1; number <= 3; ++number) {
    clock_.Advance(200s);
    Open(number);
    Changed(number);
  }
  forge_.FailAfter("GetRole", 2, MakeError(ErrorCode::kTimeout, "no answer"));
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), SizeIs(2));
  EXPECT_EQ(cursor(), std::to_string(ToMicros(clock_.Now())));
  clock_.Advance(31s);
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), SizeIs(3));
}

TEST_F(ReconcileTest, ManyChangesAreKeptInPortions) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  constexpr int kIssues = 45;
  for (std::int64_t number = 1; number <= kIssues; ++number) {
    clock_.Advance(200s);
    Open(number);
    Changed(number);
  }
  Say(2, "/swage help");
  const auto cursor = [&](const char* what) {
    return store_->GetPoll(what + std::string(":forge:77"))->value().cursor;
  };
  const std::string comments_before = cursor("comments");
  feed_.failures["ListComments 30"] = MakeError(ErrorCode::kTimeout, "no answer");
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), SizeIs(20));
  EXPECT_EQ(cursor("changes"), std::to_string(ToMicros(feed_.changes[20].updated)));
  EXPECT_EQ(cursor("comments"), comments_before) << "the other threads' are not read yet";
  feed_.failures.clear();
  clock_.Advance(31s);
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), SizeIs(kIssues));
  EXPECT_GT(cursor("comments"), comments_before);
}

TEST_F(ReconcileTest, AForgeThatSaysHowLongIsAskedAgainRightAfterwards) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  feed_.failures["ListChanges"] = Error{ErrorCode::kRateLimited, "enough", 1s};
  constexpr int kRounds = 6;
  PollRounds(reconcile, kRounds);
  EXPECT_EQ(feed_.Calls("ListChanges"), kRounds);
}

TEST_F(ReconcileTest, AForgeThatNeverAnswersIsAskedLessAndLess) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  feed_.failures["ListChanges"] = MakeError(ErrorCode::kUnavailable, "502");
  PollRounds(reconcile, 15);
  // After 30 s, 60 s, 120 s and 240 s.
  EXPECT_EQ(feed_.Calls("ListChanges"), 4);
}

TEST_F(ReconcileTest, AForgeOfWhichSomethingCanBeReadIsAskedEveryTime) {
  settings_.forges[0].repos = {"acme/*"};
  Repo other = forge_.repo;
  other.ref = {"forge", "78", "acme/other"};
  feed_.repos = {forge_.repo, other};
  Reconcile reconcile = Make();
  Begin(reconcile);
  feed_.failures["ListChanges acme/other"] = MakeError(ErrorCode::kUnavailable, "502");
  constexpr int kRounds = 10;
  PollRounds(reconcile, kRounds);
  // Every other round begins with the one that fails.
  EXPECT_GE(feed_.Calls("ListChanges"), kRounds);
}

// The limits of an App are counted per installation.
TEST_F(ReconcileTest, OneOwnersLimitHoldsNobodyElseBack) {
  settings_.forges[0].repos = {"acme/*", "beta/*"};
  const Repo mine = forge_.repo;
  Repo other = mine;
  other.ref = {"forge", "78", "beta/tool"};
  feed_.repos = {mine, other};
  Reconcile reconcile = Make();
  Begin(reconcile);
  const Error limit{ErrorCode::kRateLimited, "enough", 1h};
  feed_.failures["ListChanges beta/tool"] = limit;
  feed_.failures["ListRepos"] = limit;  // what is known of the others still holds
  for (int round = 1; round <= 3; ++round) {
    Open(round);
    Changed(round);
    clock_.Advance(Roster::kFreshFor + 1s);
    EXPECT_EQ(reconcile.PollAll({}), 1) << round;
  }
  feed_.failures["ListChanges"] = limit;
  reconcile.PollAll({});
  feed_.calls.clear();
  clock_.Advance(59min);
  reconcile.PollAll({});
  EXPECT_THAT(feed_.calls, IsEmpty()) << "it is everybody's limit now";
}

// X14: this machine's clock is a day ahead when it first looks, and is set right later.
TEST_F(ReconcileTest, TheFirstRoundGoesByTheForgesClock) {
  feed_.time = clock_.Now();
  ManualClock ahead;
  ahead.Advance(24h);
  Reconcile reconcile(*store_, [this](std::string_view) { return &forge_; }, settings_, ahead, log_,
                      {});
  reconcile.PollAll({});
  clock_.Advance(30s);
  Open(1);
  Changed(1);
  ahead.Advance(30s);
  EXPECT_EQ(reconcile.PollAll({}), 1);
}

TEST_F(ReconcileTest, AFloodIsTakenInPortions) {
  Reconcile reconcile = Make();
  Begin(reconcile);
  constexpr int kIssues = Reconcile::kQuestions + 50;
  for (int i = 1; i <= kIssues; ++i) {
    Open(i);
    clock_.Advance(1s);
    Changed(i);
  }
  std::int64_t before = 0;
  for (int round = 0; round < 10; ++round) {
    forge_.calls.clear();
    feed_.calls.clear();
    reconcile.PollAll({});
    const std::int64_t now = store_->Counts()->tasks;
    EXPECT_LE(now - before, Reconcile::kQuestions / 3 + 1);
    EXPECT_LE(forge_.calls.size() + feed_.calls.size(), Reconcile::kQuestions + 10U);
    before = now;
    clock_.Advance(30s);
  }
  EXPECT_EQ(before, kIssues);
}

TEST_F(ReconcileTest, ARepositoryUnderANewNameIsLeftUntilItIsAllowed) {
  forge_.repo.ref.path = "acme/other";
  feed_.labelled = {Open(1)};
  Reconcile reconcile = Make();
  reconcile.PollAll({});
  EXPECT_THAT(Tasks(), IsEmpty());
  EXPECT_EQ(feed_.Calls("ListChanges") + feed_.Calls("ListLabels"), 0);
}

TEST_F(ReconcileTest, GlobsAreMatchedAgainstWhatTheAccountHas) {
  settings_.forges[0].repos = {"acme/*", "!acme/secret"};
  Repo lib = forge_.repo;
  Repo secret = forge_.repo;
  secret.ref = {"forge", "78", "acme/secret"};
  Repo foreign = forge_.repo;
  foreign.ref = {"forge", "79", "other/lib"};
  feed_.repos = {lib, secret, foreign};
  Reconcile reconcile = Make();
  reconcile.PollAll({});
  EXPECT_EQ(feed_.Calls("ListLabels"), 1);
  EXPECT_TRUE(store_->GetPoll("changes:forge:77")->has_value());
}

// --- lost deliveries

TEST_F(ReconcileTest, Fault_X12_DeliveriesThatNeverCameArePutIntoTheInboxOnce) {
  settings_.intake = "both";
  feed_.keeps_deliveries = true;
  feed_.hooks = {{3, "https://bot.example/hooks/forge"}, {4, "https://ci.example/hook"}};
  feed_.deliveries = {{12, "k12", "issues", 0}, {11, "k11", "issues", 200}, {10, "k10", "ping", 0}};
  feed_.bodies = {{12, "{\"a\":1}"}, {11, "{}"}};
  ASSERT_TRUE(*store_->AddDelivery({"forge", "k11", "issues", "{}"}));
  Reconcile reconcile = Make();
  reconcile.PollAll({});
  const auto pending = store_->TakeDeliveries({"node", 10});
  ASSERT_THAT(*pending, SizeIs(2));
  EXPECT_EQ((*pending)[1].what.key, "k12");
  EXPECT_EQ((*pending)[1].what.body, "{\"a\":1}");
  EXPECT_EQ(feed_.Calls("GetDeliveryBody"), 1);
  EXPECT_EQ(feed_.Calls("ListDeliveries"), 1);  // not of somebody else's hook
  EXPECT_EQ((*store_->GetPoll("hook:forge:77:3"))->cursor, "12");
  clock_.Advance(10min);
  reconcile.PollAll({});
  EXPECT_EQ(feed_.Calls("GetDeliveryBody"), 1);
}

// An App's: whichever repository asks first looks for all of them.
TEST_F(ReconcileTest, AHookForAllRepositoriesIsScannedOnceARound) {
  feed_.keeps_deliveries = true;
  feed_.hooks = {{0, "https://bot.example/hooks/forge", true}};
  feed_.deliveries = {{12, "k12", "issues", 0}};
  feed_.bodies = {{12, "{\"a\":1}"}};
  DeliveryScan scan(*store_, log_);
  Budget budget(100);
  EXPECT_EQ(*scan.Run(forge_, {"forge", "77", "acme/lib"}, budget), 1);
  EXPECT_EQ(*scan.Run(forge_, {"forge", "78", "acme/app"}, budget), 0);
  EXPECT_EQ(feed_.Calls("ListDeliveries"), 1);
  EXPECT_EQ((*store_->GetPoll("hook:forge:all:0"))->cursor, "12");
  Budget next(100);
  EXPECT_EQ(*scan.Run(forge_, {"forge", "78", "acme/app"}, next), 0);
  EXPECT_EQ(feed_.Calls("GetDeliveryBody"), 1);
}

TEST(DeliveryScan, KnowsItsOwnHooksBehindAnyProxy) {
  EXPECT_TRUE(IsOurHook("https://bot.example/hooks/github", "github"));
  EXPECT_TRUE(IsOurHook("https://bot.example/swage/hooks/github/?x=1", "github"));
  EXPECT_FALSE(IsOurHook("https://bot.example/hooks/github2", "github"));
  EXPECT_FALSE(IsOurHook("https://ci.example/?u=/hooks/github", "github"));
  EXPECT_FALSE(IsOurHook("", "github"));
}

// --- silence

TEST_F(ReconcileTest, Fault_X13_SilenceIsAnAlarmAndAWebhookEndsIt) {
  Silence silence(*store_, clock_, log_, 5min);
  const auto alarms = [&] { return *store_->ListPolls(kAlarmPrefix, 10); };
  ASSERT_TRUE(silence.Note("forge", 0).ok());
  clock_.Advance(1h);
  ASSERT_TRUE(silence.Note("forge", 0).ok());
  EXPECT_THAT(alarms(), IsEmpty());  // nothing happened, nothing was missed
  ASSERT_TRUE(silence.Note("forge", 2).ok());
  clock_.Advance(4min);
  ASSERT_TRUE(silence.Note("forge", 0).ok());
  EXPECT_THAT(alarms(), IsEmpty());
  clock_.Advance(2min);
  ASSERT_TRUE(silence.Note("forge", 0).ok());
  ASSERT_THAT(alarms(), SizeIs(1));
  EXPECT_THAT(alarms()[0].etag, HasSubstr("no webhooks from forge"));
  ASSERT_TRUE(*store_->AddDelivery({"other", "k", "issues", "{}"}));
  ASSERT_TRUE(silence.Note("forge", 1).ok());
  EXPECT_THAT(alarms(), SizeIs(1));
  ASSERT_TRUE(*store_->AddDelivery({"forge", "k", "issues", "{}"}));
  ASSERT_TRUE(silence.Note("forge", 1).ok());
  EXPECT_THAT(alarms(), IsEmpty());
}

TEST_F(ReconcileTest, AWebhookThatIsOnlyLateRaisesNoAlarm) {
  Silence silence(*store_, clock_, log_, 5min);
  ASSERT_TRUE(silence.Note("forge", 1).ok());
  clock_.Advance(10s);
  ASSERT_TRUE(*store_->AddDelivery({"forge", "k", "issues", "{}"}));
  clock_.Advance(1h);
  ASSERT_TRUE(silence.Note("forge", 0).ok());
  EXPECT_THAT(*store_->ListPolls(kAlarmPrefix, 10), IsEmpty());
}

}  // namespace
}  // namespace swage
