// Commands in comments, as people type them, against the real server on both dialects (G2 to G4).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ChatOps : public DialectTest {
 protected:
  /// The bot's answers on an issue, without the status comment.
  static std::vector<std::string> Answers(Box& box, std::int64_t issue) {
    std::vector<std::string> answers;
    for (const sandbox::Note& note : box.NotesBy("swage-bot", issue)) {
      if (note.body.find("swage:sticky") == std::string::npos) answers.push_back(note.body);
    }
    return answers;
  }

  static std::string FirstAnswer(Box& box, std::int64_t issue) {
    box.WaitFor([&] { return !Answers(box, issue).empty(); });
    const auto answers = Answers(box, issue);
    return answers.empty() ? "" : answers.front();
  }

  /// An agent that hangs until its process tree is killed, and leaves its pid.
  static std::string HangingAgent(Box& box) {
    return "echo $$ > " + (box.dir() / "pid.tmp").string() + "; mv " +
           (box.dir() / "pid.tmp").string() + " " + (box.dir() / "pid").string() +
           "; setsid sleep 600 & sleep 600\n";
  }

  static void SetAgent(Box& box, const std::string& script) {
    ASSERT_TRUE(WriteFileAtomic(box.dir() / "agent.sh", script, 0700).ok());
  }
};

TEST_P(ChatOps, RunStartsAnUnlabelledIssue) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.forge().CreateIssue(box.repo(), "ada", "Wrong answer", "Please.");
  box.forge().Comment(box.repo(), "ada", issue, "/swage run");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

TEST_P(ChatOps, StopKillsTheAgentAndRetryGoesOn) {
  Box box(Options(AnswerRepo(), ""));
  SetAgent(box, HangingAgent(box));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "pid"));
  const pid_t agent = std::stoi(*ReadFile(box.dir() / "pid"));

  box.forge().Comment(box.repo(), "ada", issue, "/swage stop");
  EXPECT_TRUE(box.WaitForSticky(issue, "stopped: ada asked to stop")) << box.Sticky(issue);
  EXPECT_TRUE(box.WaitFor([&] { return kill(agent, 0) != 0; }));
  EXPECT_THAT(box.Pulls(), IsEmpty());

  SetAgent(box, TwoCycleAgent());
  box.forge().Comment(box.repo(), "ada", issue, "/swage retry");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

TEST_P(ChatOps, HoldPutsTheWorkAsideAndUnholdGoesOn) {
  Box box(Options(AnswerRepo(), ""));
  SetAgent(box, HangingAgent(box));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "pid"));
  const pid_t agent = std::stoi(*ReadFile(box.dir() / "pid"));
  box.forge().Comment(box.repo(), "ada", issue, "/swage hold");
  EXPECT_TRUE(box.WaitForSticky(issue, "ada put it aside")) << box.Sticky(issue);
  EXPECT_TRUE(box.WaitFor([&] { return kill(agent, 0) != 0; }));
  SetAgent(box, TwoCycleAgent());
  box.forge().Comment(box.repo(), "ada", issue, "/swage unhold");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  box.forge().Comment(box.repo(), "ada", issue, "/swage logs");
  ASSERT_TRUE(box.WaitFor([&] { return Answers(box, issue).size() == 1; }));
  EXPECT_THAT(Answers(box, issue).front(), HasSubstr("`tests`"));
}

TEST_P(ChatOps, CloseEndsTheTaskAndClosesItsPullRequest) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const sandbox::Pull pull = box.Pulls().front();
  box.CommentOnPull("ada", pull.number, "/swage close");
  ASSERT_TRUE(box.WaitFor([&] { return !box.Pulls().front().open; }));
  EXPECT_FALSE(box.Pulls().front().merged);
  EXPECT_TRUE(box.WaitForSticky(issue, "closed: ")) << box.Sticky(issue);
  EXPECT_EQ(box.Query("SELECT state FROM tasks"), "closed");
  // Final, but somebody may ask for another one.
  box.forge().Comment(box.repo(), "ada", issue, "/swage run");
  ASSERT_TRUE(box.WaitFor([&] { return box.Pulls().size() == 2; }));
  EXPECT_NE(box.Pulls().back().head_ref, pull.head_ref);
}

TEST_P(ChatOps, PrioritySaysWhoGoesFirst) {
  Box box(Options(AnswerRepo(), "", "limits: {tasks: 1}\n"));
  const std::string go = (box.dir() / "go").string();
  SetAgent(box, "until [ -e " + go + " ]; do sleep 0.05; done\n" + TwoCycleAgent());
  box.LabelledIssue("It fills the only place");
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT state FROM tasks") == "running"; }));
  const std::int64_t second = box.LabelledIssue("The answer is wrong");
  const std::int64_t third =
      box.LabelledIssue("The answer is wrong again", "---\npriority: low\n---\nNo hurry.");
  ASSERT_TRUE(
      box.WaitForSticky(third, "queued; work starts as soon as a worker is free (priority low)"));
  box.forge().Comment(box.repo(), "ada", third, "/swage priority high");
  ASSERT_TRUE(box.WaitForSticky(third, "(priority high)"));
  ASSERT_TRUE(WriteFileAtomic(go, "").ok());
  ASSERT_TRUE(box.WaitForSticky(second, "in review"));
  EXPECT_EQ(box.Query("SELECT t.issue_number FROM timeline l JOIN tasks t ON t.id = l.task_id "
                      "WHERE l.kind = 'claimed' ORDER BY l.id LIMIT 1 OFFSET 1"),
            std::to_string(third));
}

// F8: what somebody pushed is judged by the gates, and the next change stands on it.
TEST_P(ChatOps, TakeoverJudgesWhatAPersonPushed) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const sandbox::Pull before = box.Pulls().front();
  ASSERT_TRUE(
      box.forge()
          .CommitToBranch(box.repo(), "ada", before.head_ref, {{"theirs.txt", "x\n"}}, "Mine")
          .ok());
  ASSERT_TRUE(box.WaitForSticky(issue, "a human took over the branch"));
  const std::string pushed = box.Pulls().front().head_sha;
  box.CommentOnPull("ada", before.number, "/swage takeover");
  ASSERT_TRUE(box.WaitForPull(
      issue, [&](const sandbox::Pull& pull) { return box.ReviewBodies(pull).size() == 2; }));
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_EQ(box.Pulls().front().head_sha, pushed) << "nothing was changed";
}

TEST_P(ChatOps, HelpAndStatusAnswerOnce) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  box.forge().Comment(box.repo(), "ada", issue, "/swage help");
  EXPECT_THAT(FirstAnswer(box, issue), HasSubstr("/swage fix <what to change>"));
  box.forge().Comment(box.repo(), "ada", issue, "@swage-bot status");
  EXPECT_TRUE(box.WaitFor([&] { return Answers(box, issue).size() == 2; }));
  EXPECT_THAT(Answers(box, issue).at(1), HasSubstr("in review"));
}

TEST_P(ChatOps, GatesRunAgainOnTheSameHead) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const sandbox::Pull before = box.Pulls().front();
  box.CommentOnPull("ada", before.number, "/swage gates");
  ASSERT_TRUE(box.WaitForPull(
      issue, [&](const sandbox::Pull& pull) { return box.ReviewBodies(pull).size() == 2; }));
  const sandbox::Pull after = box.Pulls().front();
  EXPECT_EQ(after.head_sha, before.head_sha);
  // F3: what is open already is not said twice.
  EXPECT_THAT(box.OpenLineComments(after), SizeIs(1));
}

TEST_P(ChatOps, FixSteersARunningTask) {
  Box box(Options(AnswerRepo(), ""));
  const std::string go = (box.dir() / "go").string();
  const std::string begun = (box.dir() / "begun").string();
  SetAgent(box,
           "if grep -q 'write it in words' \"$1\"; then echo 42 > answer.txt; echo ok > words.txt; "
           "exit 0; fi\necho 41 > answer.txt; touch " +
               begun + "; while [ ! -e " + go + " ]; do sleep 0.02; done\n");
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(begun));
  box.forge().Comment(box.repo(), "ada", issue, "/swage fix write it in words");
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT count(*) FROM remarks") == "1"; }));
  ASSERT_TRUE(WriteFileAtomic(go, "").ok());
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_TRUE(box.forge().ReadFileAt(box.repo(), box.Pulls().front().head_ref, "words.txt").ok());
}

TEST_P(ChatOps, MistakesGetAHint) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.forge().CreateIssue(box.repo(), "ada", "Question", "?");
  box.forge().Comment(box.repo(), "ada", issue, "/swage rnu");
  EXPECT_THAT(FirstAnswer(box, issue), HasSubstr("Did you mean `/swage run`?"));
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "0");
}

// G3: one person, one task, by the account and not by the name.
TEST_P(ChatOps, ADelegateMayCommandUntilItIsTakenBack) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const std::int64_t pull = box.Pulls().front().number;
  const auto reviews = [&] { return box.ReviewBodies(box.Pulls().front()).size(); };
  const auto refusals = [&] {
    const auto texts = box.BotTexts();
    return std::count_if(texts.begin(), texts.end(), [](const std::string& text) {
      return text.find("`eve`: nothing was done: this needs the role write") != text.npos;
    });
  };
  box.CommentOnPull("eve", pull, "/swage gates");
  ASSERT_TRUE(box.WaitFor([&] { return refusals() == 1; }));

  box.forge().Comment(box.repo(), "ada", issue, "/swage delegate @eve");
  EXPECT_THAT(FirstAnswer(box, issue), HasSubstr("`eve` may use the commands on this task now"));
  box.CommentOnPull("eve", pull, "/swage gates");
  ASSERT_TRUE(box.WaitFor([&] { return reviews() == 2; }));
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  // On this task only, and not to pass it on.
  const std::int64_t other = box.forge().CreateIssue(box.repo(), "eve", "Another", "Please.");
  box.forge().Comment(box.repo(), "eve", other, "/swage run");
  box.CommentOnPull("eve", pull, "/swage delegate @swage-bot");
  ASSERT_TRUE(box.WaitFor([&] { return refusals() == 3; }));

  box.CommentOnPull("ada", pull, "/swage undelegate @eve");
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT count(*) FROM delegates") == "0"; }));
  box.CommentOnPull("eve", pull, "/swage fix put it back");
  ASSERT_TRUE(box.WaitFor([&] { return refusals() == 4; }));
  EXPECT_EQ(reviews(), 2U);
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "1");
}

TEST_P(ChatOps, ANameThatChangedHandsCommandsNothing) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  box.forge().Comment(box.repo(), "ada", issue, "/swage delegate @eve");
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT count(*) FROM delegates") == "1"; }));
  box.forge().With([](sandbox::World& world) { world.FindUser("eve")->login = "eve-renamed"; });
  box.forge().CreateUser("eve");
  const std::int64_t pull = box.Pulls().front().number;
  box.CommentOnPull("eve", pull, "/swage fix something");
  ASSERT_TRUE(box.Settle());
  EXPECT_EQ(box.Query("SELECT count(*) FROM remarks"), "0");
  box.CommentOnPull("eve-renamed", pull, "/swage gates");
  EXPECT_TRUE(box.WaitForPull(
      issue, [&](const sandbox::Pull& p) { return box.ReviewBodies(p).size() == 2; }));
}

TEST_P(ChatOps, MergeAndCloseEndTheTask) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t merged = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(merged, "in review"));
  ASSERT_TRUE(box.forge().MergePull(box.repo(), "ada", box.Pulls().front().number).ok());
  EXPECT_TRUE(box.WaitForSticky(merged, "merged"));
  // The pull request closes its issue.
  EXPECT_FALSE(box.forge().GetIssue(box.repo(), merged)->open);
}

TEST_P(ChatOps, AClosedPullRequestIsFinalUntilSomebodyAsksAgain) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const std::int64_t first = box.Pulls().front().number;
  box.forge().ClosePull(box.repo(), "ada", first);
  ASSERT_TRUE(box.WaitForSticky(issue, "closed"));
  box.CommentOnPull("ada", first, "/swage fix once more");
  ASSERT_TRUE(box.WaitFor([&] {
    return box.Query("SELECT count(*) FROM effects WHERE kind = 'comment' AND state = 'done'") ==
           "1";
  }));
  EXPECT_THAT(box.Pulls(), SizeIs(1));
  box.forge().Comment(box.repo(), "ada", issue, "/swage run");
  ASSERT_TRUE(box.WaitFor([&] { return box.Pulls().size() == 2; }));
}

SWAGE_EVERY_DIALECT(ChatOps);

}  // namespace
}  // namespace swage::test
