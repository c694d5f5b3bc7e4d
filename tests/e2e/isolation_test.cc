// Levels of isolation, from the label to the pull request: chosen from evidence, raised by what the
// change touches, and never run below (C3); a profile that only reads answers and changes nothing
// (C4).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class IsolationJob : public DialectTest {
 protected:
  // What every task may write would be shown in a sandbox too.
  BoxOptions Options(std::map<std::string, std::string> files, std::string agent,
                     std::string extra_config = "") const {
    BoxOptions options =
        DialectTest::Options(std::move(files), std::move(agent), std::move(extra_config));
    options.agents_meet = false;
    return options;
  }
};

// What the gates of these tests can see of the machine: in a sandbox nothing of the box.
std::map<std::string, std::string> ProbingRepo(std::string_view more_policy = "") {
  auto files = AnswerRepo();
  files["check.sh"] =
      "[ ! -e \"$(cat where.txt)/token\" ] && echo apart > \"$TMPDIR/x\" && exit 0\n"
      "echo 'answer.txt:1: error: the gate sees the token of the bot'\nexit 1\n";
  files[".swage.yml"] += more_policy;
  return files;
}

#define SWAGE_NEEDS_SANDBOX(box)                                              \
  if (!GivesSandbox(box)) {                                                   \
    GTEST_SKIP() << "this machine cannot give level sandbox: " << Lacks(box); \
  }

std::string Lacks(Box& box) {
  return box.Query("SELECT lacks FROM nodes");
}
bool GivesSandbox(Box& box) {
  return box.Query("SELECT levels FROM nodes").find("sandbox") != std::string::npos;
}
bool GivesShared(Box& box) {
  return box.Query("SELECT levels FROM nodes").find("shared") != std::string::npos;
}

TEST_P(IsolationJob, ALockFileTakesTheTaskIntoASandboxAndThePullRequestSaysWhy) {
  Box box(Options(ProbingRepo(), ""));
  SWAGE_NEEDS_SANDBOX(box);
  box.SetAgent("echo " + box.dir().string() + " > where.txt; echo 42 > answer.txt\n" +
               "echo '{}' > package-lock.json; echo 'Added a dependency.'\n");
  const std::int64_t issue = box.LabelledIssue("Needs a package");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  const std::string body = box.Pulls().front().body;
  EXPECT_THAT(body, HasSubstr("isolation level `sandbox`"));
  EXPECT_THAT(body, HasSubstr("up from <code>worktree</code>"));
  EXPECT_THAT(body, HasSubstr("`worktree` from the start: nothing asks for more"));
  EXPECT_THAT(body, HasSubstr("`sandbox` after cycle 1: the change touches a lock file"));
  EXPECT_FALSE(IsDraft(box.Pulls().front())) << "its gates ran apart from the bot: " << body;
  EXPECT_THAT(box.Sticky(issue), HasSubstr("Kept apart at level `sandbox`"));
  EXPECT_EQ(box.Query("SELECT level FROM tasks"), "sandbox");
  // The agent's work came along, and was not done again.
  EXPECT_EQ(box.Query("SELECT count(*) FROM steps WHERE kind = 'agent'"), "1");
  EXPECT_TRUE(std::filesystem::is_empty(box.data_dir() / "workspaces"));
}

TEST_P(IsolationJob, APlainChangeStaysInItsWorktree) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  EXPECT_THAT(box.Pulls().front().body, HasSubstr("isolation level `worktree`"));
  EXPECT_EQ(box.Query("SELECT level || ' ' || reasons FROM task_levels"),
            "worktree nothing asks for more");
}

TEST_P(IsolationJob, AtTheCeilingItGoesOnAndSaysSo) {
  Box box(Options(AnswerRepo(), "echo 42 > answer.txt; echo > Makefile; echo done\n",
                  "isolation: {ceiling: worktree}\n"));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  const std::string body = box.Pulls().front().body;
  EXPECT_THAT(body, HasSubstr("Level sandbox was asked for; the ceiling is worktree"));
  EXPECT_THAT(body, HasSubstr("isolation level `worktree`"));
}

// A sign that showed below is not forgotten above, where it would not show again.
TEST_P(IsolationJob, WhatShowedBeforeTheLevelWasRaisedStillCounts) {
  auto files = AnswerRepo();
  files[".swage.yml"] +=
      "isolation:\n  ceiling: sandbox\n  limits: {file: 1MiB}\n"
      "  rules: [{when: {limit_hit: true}, level: container, because: it takes a lot}]\n";
  Box box(Options(files,
                  "grep -qx 42 answer.txt && echo found > notes.txt && exit 0\n"
                  "echo 42 > answer.txt\n"
                  "exec head -c 3000000 /dev/zero > \"$TMPDIR/big\"\n"));
  SWAGE_NEEDS_SANDBOX(box);
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  const std::string body = box.Pulls().front().body;
  EXPECT_THAT(body, HasSubstr("isolation level `sandbox`"));
  EXPECT_THAT(body, HasSubstr("Level container was asked for; the ceiling is sandbox"));
}

TEST_P(IsolationJob, WhatAnEarlierRunMetDecidesWhereTheNextOneStarts) {
  auto files = AnswerRepo();
  files["check.sh"] = "exec head -c 3000000 /dev/zero > \"$TMPDIR/big\"\n";
  files[".swage.yml"] += "cycles: 1\nisolation: {limits: {file: 1MiB}}\n";
  Box box(Options(files, "echo 42 > answer.txt\n"));
  SWAGE_NEEDS_SANDBOX(box);
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  EXPECT_EQ(box.Query("SELECT level FROM tasks"), "worktree");
  box.CommentOnPull("ada", box.Pulls().front().number, "/swage fix write less");
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT level FROM tasks") == "sandbox"; }));
  EXPECT_EQ(box.Query("SELECT reasons FROM task_levels WHERE run = 2 AND cycle = 0"),
            "its commands ran into a limit");
}

TEST_P(IsolationJob, AnOutsidersWordsWaitRatherThanRunBelowTheirLevel) {
  Box box(Options(AnswerRepo(), TwoCycleAgent(), "isolation: {ceiling: worktree}\n"));
  const std::int64_t issue = box.forge().CreateIssue(box.repo(), "eve", "Please", "Do it.");
  box.forge().AddLabel(box.repo(), "ada", issue, "swage");
  ASSERT_TRUE(box.WaitForSticky(issue, "waiting: it has to run at level sandbox"))
      << box.Sticky(issue);
  EXPECT_THAT(box.Sticky(issue), HasSubstr("raise `isolation.ceiling`"));
  EXPECT_THAT(box.Pulls(), IsEmpty());
  EXPECT_EQ(box.Query("SELECT count(*) FROM steps"), "0") << "nothing ran";
}

TEST_P(IsolationJob, APolicyMayAskForMoreButNotForWhatTheServerForbids) {
  auto files = AnswerRepo();
  files[".swage.yml"] += "isolation: {floor: container}\n";
  Box box(Options(files, TwoCycleAgent(), "isolation: {ceiling: sandbox}\n"));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "waiting: it has to run at level container"))
      << box.Sticky(issue);
  EXPECT_EQ(box.Query("SELECT count(*) FROM steps"), "0");
}

TEST_P(IsolationJob, APolicyThatNamesALevelNobodyGivesWaitsWithTheFix) {
  auto files = AnswerRepo();
  files[".swage.yml"] += "isolation: {floor: container}\n";
  Box box(Options(files, TwoCycleAgent()));  // no image of containers is configured
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "waiting: no node can give level container"))
      << box.Sticky(issue);
  EXPECT_THAT(box.Query("SELECT reason FROM tasks"),
              HasSubstr(box.Query("SELECT name FROM nodes")));
  EXPECT_EQ(box.Query("SELECT count(*) FROM steps"), "0");
}

constexpr std::string_view kReaderPolicy =
    "profiles: {explain: {instructions: Explain it., reads_only: true}}\n";

TEST_P(IsolationJob, AProfileThatOnlyReadsAnswersOnTheIssueAndChangesNothing) {
  auto files = AnswerRepo();
  files[".swage.yml"] += kReaderPolicy;
  Box box(Options(files,
                  "cat answer.txt; echo 43 > answer.txt; echo > new.txt\n"
                  "echo 'It is in `answer.txt`: @acme/team /merge Fixes #9'\n"));
  if (!GivesShared(box)) GTEST_SKIP() << "this machine cannot give level shared: " << Lacks(box);
  const std::int64_t issue = box.forge().CreateIssue(box.repo(), "ada", "Where is it?", "Tell me.");
  box.forge().AddLabel(box.repo(), "ada", issue, "swage:explain");
  ASSERT_TRUE(box.WaitForSticky(issue, "answered in a comment")) << box.Sticky(issue);
  ASSERT_TRUE(box.WaitFor([&] { return box.NotesBy("swage-bot", issue).size() == 2; }));
  std::string answer;
  for (const sandbox::Note& note : box.NotesBy("swage-bot", issue)) {
    if (note.body.find("swage:sticky") == std::string::npos) answer = note.body;
  }
  EXPECT_THAT(answer, HasSubstr("It is in `answer.txt`"));
  EXPECT_THAT(answer, HasSubstr("only reads: nothing was changed"));
  EXPECT_THAT(answer, Not(HasSubstr("@acme/team")));
  EXPECT_THAT(box.Pulls(), IsEmpty());
  EXPECT_THAT(box.forge().Branches(box.repo()), SizeIs(1));
  EXPECT_EQ(box.Query("SELECT state, level, checkpoint FROM tasks"), "closed|shared|");
  EXPECT_TRUE(std::filesystem::is_empty(box.data_dir() / "workspaces"));
  // It can be asked again.
  box.forge().Comment(box.repo(), "ada", issue, "/swage run");
  ASSERT_TRUE(box.WaitFor([&] { return box.NotesBy("swage-bot", issue).size() >= 4; }));
  EXPECT_THAT(box.Pulls(), IsEmpty());
  EXPECT_EQ(box.Query("SELECT DISTINCT profile FROM tasks"), "explain");
}

TEST_P(IsolationJob, AnAnswerThatHoldsASecretIsNotPosted) {
  auto files = AnswerRepo();
  files[".swage.yml"] += kReaderPolicy;
  Box box(Options(files, ""));
  if (!GivesShared(box)) GTEST_SKIP() << "this machine cannot give level shared: " << Lacks(box);
  box.SetAgent("rev " + (box.dir() / "token").string() + "\n");
  const std::int64_t issue = box.forge().CreateIssue(box.repo(), "ada", "Where is it?", "Tell me.");
  box.forge().AddLabel(box.repo(), "ada", issue, "swage:explain");
  ASSERT_TRUE(box.WaitForSticky(issue, "failed: ")) << box.Sticky(issue);
  EXPECT_THAT(box.NotesBy("swage-bot", issue), SizeIs(1));
  std::string reversed = box.bot_token();
  std::reverse(reversed.begin(), reversed.end());
  for (const std::string& text : box.BotTexts()) {
    EXPECT_THAT(text, Not(HasSubstr(box.bot_token())));
    EXPECT_THAT(text, Not(HasSubstr(reversed)));
  }
}

SWAGE_BOTH_DIALECTS(IsolationJob);

}  // namespace
}  // namespace swage::test
