// What else than the label asks for work (A2), against the real server.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/sandbox/git_repo.h"
#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class AskedFor : public DialectTest {
 protected:
  std::int64_t PlainIssue(Box& box, std::string_view body = "It should be 42.") {
    return box.forge().CreateIssue(box.repo(), "ada", "The answer is wrong", body);
  }
  /// On the branch, which begins at the default one if it is new.
  void Commit(Box& box, const std::string& branch, const std::string& path,
              const std::string& text) {
    ASSERT_TRUE(
        box.forge().CommitToBranch(box.repo(), "ada", branch, {{path, text}}, "Change").ok());
  }
  std::string UrlOf(Box& box, std::int64_t issue) {
    const bool gitlab = GetParam() == sandbox::Dialect::kGitLab;
    return fmt::format("{}/{}{}/issues/{}", box.forge().Url(), box.repo(), gitlab ? "/-" : "",
                       issue);
  }
};

TEST_P(AskedFor, AnAssignmentToTheBotBecomesAPullRequest) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = PlainIssue(box);
  box.forge().Assign(box.repo(), "ada", issue, {"eve"});
  ASSERT_TRUE(box.Settle());
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "0");
  box.forge().Assign(box.repo(), "ada", issue, {"eve", "swage-bot"});
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  EXPECT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_EQ(box.Query("SELECT requester_login FROM tasks"), "ada");
}

TEST_P(AskedFor, AnAssignmentIsFoundByPollingToo) {
  Box box(Polling(TwoCycleAgent()));
  const std::int64_t issue = PlainIssue(box);
  box.forge().Assign(box.repo(), "ada", issue, {"swage-bot"});
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.ServerLog();
  EXPECT_EQ(box.Query("SELECT requester_login FROM tasks"), "ada");
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

TEST_P(AskedFor, TakingTheAssignmentBackStopsTheAgent) {
  Box box(Options(AnswerRepo(), ""));
  box.SetAgent("touch " + (box.dir() / "begun").string() + "\nsleep 600\n");
  const std::int64_t issue = PlainIssue(box);
  box.forge().Assign(box.repo(), "ada", issue, {"swage-bot"});
  ASSERT_TRUE(box.WaitForFile(box.dir() / "begun"));
  box.forge().Assign(box.repo(), "ada", issue, {});
  EXPECT_TRUE(box.WaitForSticky(issue, "the assignment was taken back by ada"))
      << box.Sticky(issue);
}

TEST_P(AskedFor, PlainWordsToTheBotBeginTheWorkAndReachTheAgent) {
  Box box(Options(AnswerRepo(),
                  "grep -q 'in words, too' \"$1\" && echo ok > words.txt\n"
                  "echo 42 > answer.txt\n"));
  const std::int64_t issue = PlainIssue(box);
  box.forge().Comment(box.repo(), "ada", issue, "@swage-bot please mend it, and in words, too");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_TRUE(box.forge().ReadFileAt(box.repo(), box.Pulls().front().head_ref, "words.txt").ok());
}

TEST_P(AskedFor, ANewIssueThatCallsTheBotBecomesAPullRequest) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = PlainIssue(box, "It should be 42.\n\n@swage-bot please mend it.");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

TEST_P(AskedFor, WhatIsNotConfiguredAsksForNothing) {
  Box box(Options(AnswerRepo(), TwoCycleAgent(), "trigger: {by: [label]}\n"));
  const std::int64_t issue = PlainIssue(box, "@swage-bot please mend it.");
  box.forge().Assign(box.repo(), "ada", issue, {"swage-bot"});
  box.forge().Comment(box.repo(), "ada", issue, "@swage-bot please mend it");
  ASSERT_TRUE(box.WaitFor([&] { return !box.NotesBy("swage-bot", issue).empty(); }));
  EXPECT_THAT(box.NotesBy("swage-bot", issue).front().body, HasSubstr("unknown command"));
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "0");
  box.forge().AddLabel(box.repo(), "ada", issue, "swage");
  EXPECT_TRUE(box.WaitForSticky(issue, "in review"));
}

TEST_P(AskedFor, AnOperatorHandsAnIssueToTheServerThatRuns) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = PlainIssue(box);
  const Box::Ran ran = box.Run({"run", fmt::format("box/{}#{}", box.repo(), issue)});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("asked for box/acme/lib#1"));
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.ServerLog();
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  // An operator has no account at the forge, and so no part in the commit's trailers.
  EXPECT_THAT(box.Query("SELECT requester_login FROM tasks"), HasSubstr("(command line)"));
  const auto commit =
      sandbox::ReadCommit(box.forge().GitDir(box.repo()), box.Pulls().front().head_sha);
  ASSERT_TRUE(commit.ok());
  EXPECT_THAT(commit->message, AllOf(HasSubstr("Signed-off-by"), Not(HasSubstr("Co-authored-by"))));
}

TEST_P(AskedFor, WhatAnOperatorAsksWithoutAServerWaitsForIt) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  box.StopServer();
  const std::int64_t issue = PlainIssue(box);
  const Box::Ran ran = box.Run({"run", UrlOf(box, issue)});
  EXPECT_EQ(ran.code, 0) << ran.err;
  box.StartServer();
  EXPECT_TRUE(box.WaitForSticky(issue, "in review")) << box.ServerLog();
}

TEST_P(AskedFor, WhatCannotBeDoneByHandIsFoundAmongTheParked) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  EXPECT_EQ(box.Run({"run", "nonsense"}).code, 2);
  EXPECT_EQ(box.Run({"run", "box/acme/lib#77"}).code, 0);
  EXPECT_EQ(box.Run({"run", "box/other/repo#1"}).code, 0);
  ASSERT_TRUE(box.Settle());
  const std::string parked = box.Run({"parked"}).out;
  EXPECT_THAT(parked, HasSubstr("acme/lib#77 is closed, or not to be seen"));
  EXPECT_THAT(parked, HasSubstr("other/repo is not on the allow-list"));
}

// --- the issue's first lines (A8), dependencies (A13), quotas (A11)

TEST_P(AskedFor, AnIssueNamesTheBranchOnWhichTheWorkStands) {
  Box box(Options(AnswerRepo(), "cat marker.txt > answer.txt; echo 42 > answer.txt\n"));
  Commit(box, "release/2", "marker.txt", "two\n");
  const std::int64_t issue =
      box.LabelledIssue("The answer is wrong", "---\nbase: release/2\nprioritie: high\n---\nHelp.");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_EQ(box.Pulls().front().base_ref, "release/2");
  EXPECT_TRUE(box.forge().ReadFileAt(box.repo(), box.Pulls().front().head_ref, "marker.txt").ok());
  // What could not be followed was said.
  EXPECT_TRUE(box.WaitFor([&] { return box.NotesBy("swage-bot", issue).size() == 2; }));
  EXPECT_THAT(box.BotTexts(), Contains(HasSubstr("line 3: there is no")));
}

// T23: the branch that an issue names must not say how it is judged.
TEST_P(AskedFor, Threat_T23_ThePolicyIsTheDefaultBranchs) {
  Box box(Options(AnswerRepo(), "echo 41 > answer.txt\n"));
  Commit(box, "weak", ".swage.yml", "gates:\n  - {name: tests, run: [\"true\"]}\n");
  const std::int64_t issue =
      box.LabelledIssue("The answer is wrong", "---\nbase: weak\n---\nHelp.");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_TRUE(IsDraft(box.Pulls().front())) << "the gate of the default branch is red";
}

TEST_P(AskedFor, ABranchThatIsNotThereIsAskedFor) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue =
      box.LabelledIssue("The answer is wrong", "---\nbase: nowhere\n---\nHelp.");
  ASSERT_TRUE(box.WaitForSticky(issue, "there is no branch nowhere")) << box.Sticky(issue);
  Commit(box, "nowhere", "marker.txt", "now\n");
  box.forge().Comment(box.repo(), "ada", issue, "/swage retry");
  EXPECT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
}

TEST_P(AskedFor, ATaskWaitsForTheIssuesThatItNames) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t first = PlainIssue(box);
  const std::int64_t issue = box.LabelledIssue(
      "The answer is wrong", fmt::format("---\ndepends-on: [{}, 999]\n---\nHelp.", first));
  ASSERT_TRUE(box.WaitForSticky(issue, fmt::format("it waits for #{} to be closed", first)))
      << box.Sticky(issue);
  EXPECT_THAT(box.Pulls(), SizeIs(0));
  box.forge().CloseIssue(box.repo(), "ada", first);
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

TEST_P(AskedFor, BeyondTheQuotaACommentSaysSo) {
  Box box(Options(AnswerRepo(), TwoCycleAgent(), "quota: {repo: 1}\n"));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const std::int64_t more = box.LabelledIssue("The answer is wrong again");
  ASSERT_TRUE(box.WaitFor([&] { return !box.NotesBy("swage-bot", more).empty(); }));
  EXPECT_THAT(box.NotesBy("swage-bot", more).front().body,
              HasSubstr("1 task began here in the last hour"));
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "1");
}

// --- the policy (A9)

TEST_P(AskedFor, ABrokenPolicyLeavesTheLastGoodOneAndSaysWhere) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  Commit(box, "main", ".swage.yml", "gates:\n  - {name: tests, rnu: [x]}\n");
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_FALSE(IsDraft(box.Pulls().front()));
  EXPECT_THAT(box.BotTexts(), Contains(AllOf(HasSubstr(".swage.yml:2"), HasSubstr("rnu"))));
  EXPECT_EQ(box.Query("SELECT count(*) FROM steps WHERE kind = 'gate' AND name = 'tests'"), "2")
      << "the gates of before";
}

SWAGE_EVERY_DIALECT(AskedFor);

}  // namespace
}  // namespace swage::test
