// kill -9 of the server at the points where most is at stake; after the restart there is one pull
// request, one status comment, one review, and nothing is lost (B6, B7, D5; X1, X8).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <csignal>

#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

bool NoWorkspaceIsLeft(const Box& box) {
  std::error_code none;  // there is no folder before the first task
  const auto left = std::filesystem::directory_iterator(box.data_dir() / "workspaces", none);
  return none || left == std::filesystem::directory_iterator();
}

using testing::SizeIs;

class Kill : public DialectTest {
 protected:
  // The state every run must end in, whatever happened on the way.
  static void ExpectOneOfEverything(Box& box, std::int64_t issue) {
    ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
    ASSERT_THAT(box.Pulls(), SizeIs(1));
    const sandbox::Pull pull = box.Pulls().front();
    EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "answer.txt"), "42\n");
    EXPECT_THAT(box.ReviewBodies(pull), SizeIs(1));
    EXPECT_THAT(box.OpenLineComments(pull), SizeIs(1));
    EXPECT_THAT(box.NotesBy("swage-bot", issue), SizeIs(1));
    EXPECT_THAT(box.forge().GetIssue(box.repo(), issue)->awards, SizeIs(1));
    EXPECT_THAT(box.forge().Branches(box.repo()), SizeIs(2));
  }

  /// The server is killed while it keeps trying this request, which the forge refuses or carries
  /// out without an answer; after the restart the forge is well again.
  void KillDuring(sandbox::FaultAction action, const std::string& path) {
    Box box(Options(AnswerRepo(), TwoCycleAgent()));
    sandbox::FaultRule rule;
    rule.action = action;
    rule.status = 503;
    rule.method = "POST";
    rule.path = path;
    rule.times = -1;
    ASSERT_TRUE(box.forge().faults().Add(rule).ok());
    const std::int64_t issue = box.LabelledIssue("The answer is wrong");
    const RE2 pattern(path);
    ASSERT_TRUE(box.WaitFor([&] {
      for (const auto& request : box.forge().Requests()) {
        if (request.method == "POST" && RE2::PartialMatch(request.target, pattern)) return true;
      }
      return false;
    }));
    box.KillServer();
    box.forge().faults().Clear();
    box.StartServer();
    ExpectOneOfEverything(box, issue);
  }

  bool OnGitLab() const { return GetParam() == sandbox::Dialect::kGitLab; }
  std::string CreatePull() const { return OnGitLab() ? "/merge_requests$" : "/pulls$"; }
  std::string CreateReview() const {
    return OnGitLab() ? "/merge_requests/[0-9]+/(notes|discussions)$" : "/pulls/[0-9]+/reviews$";
  }
};

TEST_P(Kill, DuringTheAgent) {
  Box box(Options(AnswerRepo(), ""));
  const std::string gate = (box.dir() / "gate").string();
  // The second cycle's agent hangs in its first life, and its tree dies with the server.
  const std::string agent = "if grep -q 'not 42' \"$1\" && [ ! -e " + gate +
                            ".pid ]; then echo $$ > " + gate + ".tmp; mv " + gate + ".tmp " + gate +
                            ".pid; sleep 600; fi\n" + TwoCycleAgent();
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "agent.sh", agent, 0700).ok());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(gate + ".pid"));
  const pid_t agent_pid = std::stoi(*ReadFile(gate + ".pid"));
  box.KillServer();
  EXPECT_TRUE(box.WaitFor([&] { return kill(agent_pid, 0) != 0; }))
      << "the agent outlived its server";
  box.StartServer();
  ExpectOneOfEverything(box, issue);
  // C11: what the dead server left was found and removed.
  EXPECT_TRUE(box.WaitFor([&] { return NoWorkspaceIsLeft(box); }));
  // D5: the first cycle was not repeated.
  EXPECT_EQ(box.Query("SELECT count(*) FROM steps WHERE kind = 'agent' AND cycle = 1"), "1");
}

// A stop that was asked for is no fault: the agent is ended, the work goes on after the next start.
TEST_P(Kill, SigtermDuringTheAgentGivesTheTaskBack) {
  Box box(Options(AnswerRepo(), ""));
  const std::string begun = (box.dir() / "begun").string();
  const std::string agent =
      "[ -e " + begun + " ] || { touch " + begun + "; sleep 600; }\n" + TwoCycleAgent();
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "agent.sh", agent, 0700).ok());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(begun));
  EXPECT_EQ(box.StopServer(), 0);
  EXPECT_EQ(box.Query("SELECT state FROM tasks"), "queued");
  EXPECT_TRUE(NoWorkspaceIsLeft(box));
  box.StartServer();
  ExpectOneOfEverything(box, issue);
  // X28: a stop costs no attempt.
  EXPECT_EQ(box.Query("SELECT attempt FROM tasks"), "1");
}

TEST_P(Kill, BetweenPushAndPullRequest) {
  KillDuring(sandbox::FaultAction::kStatus, CreatePull());
}

TEST_P(Kill, BetweenPullRequestAndReview) {
  KillDuring(sandbox::FaultAction::kStatus, CreateReview());
}

// The forge made it, the answer was lost, and the one who asked is dead.
TEST_P(Kill, AfterAPullRequestWithoutAnAnswer) {
  KillDuring(sandbox::FaultAction::kResetAfter, CreatePull());
}

TEST_P(Kill, AfterAReviewWithoutAnAnswer) {
  KillDuring(sandbox::FaultAction::kResetAfter, CreateReview());
}

SWAGE_EVERY_DIALECT(Kill);

}  // namespace
}  // namespace swage::test
