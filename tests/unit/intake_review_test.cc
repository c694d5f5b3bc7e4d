// What a review that asks for changes leads to, given the facts (F6).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/effects.h"
#include "pipeline/intake.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const RepoRef kRepo{"forge", "77", "acme/lib"};
const Actor kAda{"5", "ada", false};
const Actor kSelf{"9", "swage-bot", true};

IntakeRules Rules() {
  IntakeRules rules;
  rules.repos = {"acme/*"};
  rules.command_prefix = "/swage";
  return rules;
}

ReviewSubmitted Submitted(Actor actor = kAda) {
  ReviewSubmitted e{kRepo, std::move(actor), 20, "Nearly."};
  e.asks_for_changes = true;
  return e;
}

IntakeFacts Facts(TaskState state) {
  IntakeFacts facts;
  facts.self = kSelf;
  facts.role = Role::kWrite;
  facts.task.emplace();
  facts.task->id = {4};
  facts.task->repo = kRepo;
  facts.task->state = state;
  facts.task->pr_number = 20;
  facts.task->pushed = {"abc"};
  facts.pull.emplace();
  facts.pull->number = 20;
  facts.pull->head_sha = {"abc"};
  facts.review.emplace();
  facts.review->id = "31";
  facts.review->text = {"review:31", "Nearly.", "", kAda};
  facts.review->asks_for_changes = true;
  facts.review->comments = {
      {"501", "Use a map.", "", kAda, DiffPlace{"501", "a.cc", 3, 3, false, {}}}};
  return facts;
}

std::string CommentIn(const IntakePlan& plan) {
  for (const NewEffect& e : plan.effects) {
    if (e.kind == EffectKind::kComment) return DecodeComment(e.payload)->body;
  }
  return "";
}

void ExpectSilence(const IntakePlan& plan) {
  EXPECT_TRUE(plan.ignored);
  EXPECT_THAT(plan.changes, IsEmpty());
  EXPECT_THAT(plan.effects, IsEmpty());
}

TEST(IntakeReview, StartsOneFollowUpRunWithAllThatWasSaid) {
  for (const TaskState state : {TaskState::kInReview, TaskState::kFailed}) {
    const IntakePlan plan = Decide(Submitted(), Facts(state), Rules());
    ASSERT_THAT(plan.changes, SizeIs(1));
    const TaskChange& change = plan.changes.front();
    EXPECT_EQ(change.kind, TaskChangeKind::kRequeue);
    EXPECT_EQ(change.run_kind, RunKind::kFix);
    EXPECT_THAT(change.remark, HasSubstr("Nearly."));
    EXPECT_THAT(change.remark, HasSubstr("On a.cc, line 3 (thread 501):\nUse a map."));
    EXPECT_THAT(change.threads, SizeIs(1));
    EXPECT_EQ(plan.command_key, ReviewKey(kRepo, 20, "31"));
    EXPECT_FALSE(plan.ignored);
  }
}

TEST(IntakeReview, IsARemarkForARunUnderWay) {
  for (const TaskState state : {TaskState::kQueued, TaskState::kRunning}) {
    const IntakePlan plan = Decide(Submitted(), Facts(state), Rules());
    ASSERT_THAT(plan.changes, SizeIs(1));
    EXPECT_EQ(plan.changes.front().kind, TaskChangeKind::kRemark);
    EXPECT_THAT(plan.changes.front().threads, SizeIs(1));
  }
}

TEST(IntakeReview, Threat_T15_OfSomebodyWithoutTheRoleIsNothing) {
  IntakeFacts facts = Facts(TaskState::kInReview);
  facts.role = Role::kRead;
  IntakePlan plan = Decide(Submitted(), facts, Rules());
  ExpectSilence(plan);
  EXPECT_TRUE(plan.refused) << "the audit log has it";
  facts.delegates = {{kAda.id, kAda.login, "bob"}};
  EXPECT_THAT(Decide(Submitted(), facts, Rules()).changes, SizeIs(1));
}

TEST(IntakeReview, Threat_T16_OfABotIsNothing) {
  ExpectSilence(Decide(Submitted({"6", "evil[bot]", true}), Facts(TaskState::kInReview), Rules()));
  ExpectSilence(Decide(Submitted(kSelf), Facts(TaskState::kInReview), Rules()));
}

TEST(IntakeReview, OfAClosedPullRequestIsNothing) {
  ExpectSilence(Decide(Submitted(), Facts(TaskState::kClosed), Rules()));
  ExpectSilence(Decide(Submitted(), Facts(TaskState::kMerged), Rules()));
  ReviewSubmitted late = Submitted();
  late.thread_open = false;
  ExpectSilence(Decide(late, Facts(TaskState::kInReview), Rules()));
  IntakeFacts facts = Facts(TaskState::kInReview);
  facts.pull->state = PullRequestState::kClosed;
  ExpectSilence(Decide(Submitted(), facts, Rules()));
}

TEST(IntakeReview, TakenBackOrWithoutWordsIsNothing) {
  IntakeFacts dismissed = Facts(TaskState::kInReview);
  dismissed.review->asks_for_changes = false;
  ExpectSilence(Decide(Submitted(), dismissed, Rules()));
  IntakeFacts mute = Facts(TaskState::kInReview);
  mute.review->text.body = " ";
  mute.review->comments.clear();
  ExpectSilence(Decide(Submitted(), mute, Rules()));
  IntakeFacts foreign = Facts(TaskState::kInReview);
  foreign.task.reset();
  ExpectSilence(Decide(Submitted(), foreign, Rules()));
}

// F8: a review speaks to the pull request, and takes nobody's work out of his hands.
TEST(IntakeReview, OfWorkThatRestsIsAnsweredOnce) {
  IntakeFacts pushed = Facts(TaskState::kInReview);
  pushed.pull->head_sha = {"def"};
  for (const IntakeFacts& facts :
       {Facts(TaskState::kWaiting), Facts(TaskState::kCancelled), pushed}) {
    const IntakePlan plan = Decide(Submitted(), facts, Rules());
    EXPECT_THAT(plan.changes, IsEmpty());
    EXPECT_THAT(CommentIn(plan), HasSubstr("`/swage fix ...` takes the work up again"));
    EXPECT_EQ(plan.command_key, ReviewKey(kRepo, 20, "31"));
  }
}

TEST(IntakeReview, CommandsInItAreObeyedOnce) {
  IntakeFacts facts = Facts(TaskState::kInReview);
  facts.review->text.body = "@swage-bot please mind the gaps";
  facts.review->comments[0].body = "/swage fix use a map";
  facts.review->comments.push_back({"502", "/swage gates", "", kAda, DiffPlace{}});
  ReviewSubmitted e = Submitted();
  // An event of its own tells of the line comment.
  std::string remark = Decide(e, facts, Rules()).changes.at(0).remark;
  EXPECT_THAT(remark, HasSubstr("please mind the gaps"));
  EXPECT_THAT(remark, Not(HasSubstr("use a map")));
  e.tells_all = true;
  remark = Decide(e, facts, Rules()).changes.at(0).remark;
  EXPECT_THAT(remark, HasSubstr("\nuse a map\n"));
  EXPECT_THAT(remark, Not(HasSubstr("/swage")));
}

TEST(IntakeReview, AFixInAThreadHasItsPlace) {
  CommentCreated said{kRepo, kAda, {ThreadKind::kPullRequest, 20}, {}, true, {}};
  said.comment = {"601", "/swage fix drop it", "", kAda};
  IntakeFacts facts = Facts(TaskState::kInReview);
  facts.review.reset();
  facts.place = DiffPlace{"77:N", "a.cc", 9, 9, false, {}};
  facts.finding = "unused";
  const TaskChange change = Decide(said, facts, Rules()).changes.at(0);
  EXPECT_EQ(change.remark,
            "On a.cc, line 9 (thread 77:N), where a gate found \"unused\":\ndrop it");
  ASSERT_THAT(change.threads, SizeIs(1));
  EXPECT_EQ(change.threads[0].comment_id, "601");
  facts.place.reset();
  EXPECT_EQ(Decide(said, facts, Rules()).changes.at(0).remark, "drop it");
}

}  // namespace
}  // namespace swage
