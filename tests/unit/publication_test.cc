#include "pipeline/publication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/effects.h"

namespace swage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Finding At(std::string path, int line, std::string fingerprint) {
  Finding f;
  f.gate = "tests";
  f.path = std::move(path);
  f.line = line;
  f.message = "wrong";
  f.fingerprint = std::move(fingerprint);
  return f;
}

PublicationInput Input(bool green) {
  PublicationInput in;
  in.report.task.id = {3};
  in.report.task.branch = "swage/12-x";
  in.report.task.base_branch = "main";
  in.report.task.issue_number = 12;
  in.report.head = {"1111111111111111111111111111111111111111"};
  in.report.green = green;
  GateVerdict v;
  v.gate = "tests";
  v.outcome = green ? GateOutcome::kPassed : GateOutcome::kFailed;
  v.commit = in.report.head;
  in.report.verdicts = {v};
  in.diff.files = {{"src/a.cc", "src/a.cc", 'M', false, 1, 1, {{1, 5}}},
                   {"gone.cc", "gone.cc", 'D', false, 0, 9, {}}};
  in.when_red = "draft";
  return in;
}

std::vector<EffectKind> Kinds(const RunOutcome& outcome) {
  std::vector<EffectKind> kinds;
  for (const NewEffect& e : outcome.effects) kinds.push_back(e.kind);
  return kinds;
}

const NewEffect& Find(const RunOutcome& outcome, EffectKind kind) {
  for (const NewEffect& e : outcome.effects) {
    if (e.kind == kind) return e;
  }
  ADD_FAILURE() << "no effect of that kind";
  return outcome.effects.front();
}

TEST(Publication, EffectsComeInTheOrderOfTheWork) {
  const RunOutcome outcome = Publication(Input(true));
  EXPECT_EQ(outcome.state, TaskState::kInReview);
  EXPECT_THAT(Kinds(outcome),
              ElementsAre(EffectKind::kPush, EffectKind::kPullRequest, EffectKind::kStatus,
                          EffectKind::kReview, EffectKind::kSticky));
}

// I7: nothing may be said about a head that somebody replaced meanwhile, so the push that checks it
// comes first in any case.
TEST(Publication, AHeadThatTheForgeHasIsPushedAgainToBeSure) {
  PublicationInput in = Input(true);
  in.report.task.pushed = in.report.head;
  EXPECT_EQ(Kinds(Publication(in)).front(), EffectKind::kPush);
}

TEST(Publication, RedIsADraftOrOnlyAComment) {
  PublicationInput in = Input(false);
  EXPECT_TRUE(
      DecodePullRequest(Find(Publication(in), EffectKind::kPullRequest).payload)->draft.draft);
  in.when_red = "comment";
  const RunOutcome comment = Publication(in);
  EXPECT_EQ(comment.state, TaskState::kFailed);
  EXPECT_THAT(Kinds(comment), ElementsAre(EffectKind::kComment, EffectKind::kSticky));
  // A pull request that is open already must show that its new head is red.
  in.report.task.pr_number = 20;
  EXPECT_TRUE(
      DecodePullRequest(Find(Publication(in), EffectKind::kPullRequest).payload)->draft.draft);
}

TEST(Publication, OnlyFindingsInTouchedFilesBecomeLineComments) {
  PublicationInput in = Input(true);
  in.report.verdicts[0].findings = {At("src/a.cc", 2, "f1"), At("other.cc", 9, "f2"),
                                    At("gone.cc", 1, "f3"), At("", 0, "f4")};
  const RunOutcome outcome = Publication(in);
  const auto review = DecodeReview(Find(outcome, EffectKind::kReview).payload)->review;
  ASSERT_THAT(review.comments, SizeIs(1));
  EXPECT_EQ(review.comments[0].fingerprint, "f1");
  EXPECT_THAT(review.body, testing::HasSubstr("3 findings without a line"));
  EXPECT_THAT(outcome.findings, SizeIs(4));
}

TEST(Publication, LineCommentsAreBounded) {
  PublicationInput in = Input(true);
  for (int i = 1; i <= 100; ++i) {
    in.report.verdicts[0].findings.push_back(At("src/a.cc", i, "f" + std::to_string(i)));
  }
  const auto review = DecodeReview(Find(Publication(in), EffectKind::kReview).payload)->review;
  EXPECT_THAT(review.comments, SizeIs(kMaxLineComments));
}

TEST(Publication, ThreadsOfGoneFindingsAreResolvedOnce) {
  PublicationInput in = Input(true);
  in.report.verdicts[0].findings = {At("src/a.cc", 2, "still")};
  in.ledger = {{At("src/a.cc", 2, "still"), true, "t1", false},
               {At("src/a.cc", 3, "gone"), true, "t2", false},
               {At("src/a.cc", 4, "resolved"), true, "t3", true},
               {At("src/a.cc", 5, "never-posted"), false, "", false}};
  const auto gone = DecodeResolve(Find(Publication(in), EffectKind::kResolve).payload);
  ASSERT_THAT(gone->threads, SizeIs(1));
  EXPECT_EQ(gone->threads[0].thread_id, "t2");
}

TEST(Publication, StatusesNameTheHeadAndAdvisoryFailuresDoNotBlock) {
  PublicationInput in = Input(false);
  in.report.verdicts[0].required = false;
  const auto status = DecodeStatus(Find(Publication(in), EffectKind::kStatus).payload)->status;
  EXPECT_EQ(status.sha, in.report.head);
  EXPECT_EQ(status.state, StatusState::kNeutral);
}

Remark Asked() {
  return {8,
          "text",
          2,
          {{"501", "ada", {"77", "src/a.cc", 3, 3, false, {}}},
           {"502", "ada", {"78", "other.cc", 1, 1, false, {}}}}};
}

const NewEffect* AnswersIn(const RunOutcome& outcome) {
  for (const NewEffect& e : outcome.effects) {
    if (e.key == "resolve:3:answer:8") return &e;
  }
  return nullptr;
}

TEST(Publication, AnswersEachThreadWithWhatBecameOfIt) {
  PublicationInput in = Input(true);
  in.report.task.run_kind = RunKind::kFix;
  in.report.summary = "Did it.\n- Thread 77: used a map, @all\n";
  in.remarks = {Asked(), {9, "no thread", 2}};
  in.changed = {"src/a.cc"};
  in.command_prefix = "/swage";
  const RunOutcome outcome = Publication(in);
  const NewEffect* effect = AnswersIn(outcome);
  ASSERT_NE(effect, nullptr);
  const auto answers = DecodeResolve(effect->payload);
  ASSERT_TRUE(answers.ok());
  EXPECT_THAT(answers->threads, IsEmpty());
  ASSERT_THAT(answers->answers, SizeIs(2));
  EXPECT_EQ(answers->answers[0].place.thread_id, "77");
  EXPECT_EQ(answers->answers[0].place.path, "src/a.cc");
  EXPECT_EQ(answers->answers[0].place.last_line, 3);
  EXPECT_NE(answers->answers[0].marker, answers->answers[1].marker);
  EXPECT_NE(answers->answers[0].body.find("used a map"), std::string::npos);
  EXPECT_EQ(answers->answers[1].body.find("used a map"), std::string::npos);
}

TEST(Publication, AnswersNothingForGatesAlone) {
  PublicationInput in = Input(true);
  in.report.task.run_kind = RunKind::kGates;
  in.remarks = {Asked()};
  const RunOutcome outcome = Publication(in);
  EXPECT_EQ(AnswersIn(outcome), nullptr);
}

TEST(Publication, FindsTheAgentsWordsAboutAThread) {
  const std::string summary =
      "thread 7: not this\n* `thread 77: this one`\nthread 77: too late\nthread 778: nor this";
  EXPECT_EQ(WordsAboutThread(summary, "77"), "this one");
  EXPECT_EQ(WordsAboutThread(summary, "7"), "not this");
  EXPECT_EQ(WordsAboutThread(summary, "1"), "");
  EXPECT_EQ(WordsAboutThread("", ""), "");
  EXPECT_EQ(WordsAboutThread("thread 77:", "77"), "");
}

}  // namespace
}  // namespace swage
