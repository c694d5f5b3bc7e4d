// What people do at the forge while the bot works (X23 to X25): renamed and archived repositories,
// issues that nobody wants solved any more, pull requests and branches that somebody took over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class MovedOn : public DialectTest {
 protected:
  /// Waits for the file `go` the first time, and says by the file `begun` that it does.
  static std::string PatientAgent(Box& box) {
    const std::string begun = (box.dir() / "begun").string();
    return "touch " + begun + "; until [ -e " + (box.dir() / "go").string() +
           " ]; do sleep 0.05; done\n" + TwoCycleAgent();
  }
  static std::string State(Box& box) {
    return box.Query("SELECT state FROM tasks ORDER BY id DESC LIMIT 1");
  }
  static std::string Reason(Box& box) {
    return box.Query("SELECT reason FROM tasks ORDER BY id DESC LIMIT 1");
  }
  static void With(Box& box, const std::function<void(sandbox::World&, sandbox::Repo&)>& act) {
    box.forge().With([&](sandbox::World& world) { act(world, *world.FindRepo(box.repo())); });
  }
  static sandbox::FaultRule Refusal(std::string path) {
    sandbox::FaultRule rule;
    rule.action = sandbox::FaultAction::kStatus;
    rule.status = 503;
    rule.path = std::move(path);
    rule.times = -1;
    return rule;
  }
};

TEST_P(MovedOn, Fault_X23_ARenamedRepositoryIsFollowedByItsId) {
  Box box(Polling(""));
  box.SetAgent(PatientAgent(box));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "begun"));
  box.KillServer();
  With(box, [](sandbox::World& world, sandbox::Repo& repo) {
    ASSERT_TRUE(world.RenameRepo(repo, "acme/library").ok());
  });
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "go", "").ok());
  box.StartServer();
  ASSERT_TRUE(box.WaitFor([&] { return State(box) == "in_review"; })) << Reason(box);
  const auto pulls = box.forge().Pulls("acme/library");
  ASSERT_THAT(pulls, SizeIs(1));
  EXPECT_THAT(pulls.front().body, HasSubstr("#" + std::to_string(issue)));
  EXPECT_EQ(box.Query("SELECT path FROM repos"), "acme/library");
}

TEST_P(MovedOn, Fault_X23_ARepositoryOutOfSightParksItsTaskWithTheReason) {
  Box box(Polling(""));
  box.SetAgent(PatientAgent(box));
  box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "begun"));
  box.KillServer();
  box.forge().SetPrivate(box.repo(), true);
  box.forge().SetMember(box.repo(), "swage-bot", Role::kNone);
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "go", "").ok());
  box.StartServer();
  ASSERT_TRUE(box.WaitFor([&] { return State(box) == "waiting"; })) << State(box) << Reason(box);
  EXPECT_THAT(Reason(box), HasSubstr("cannot be seen any more"));
  // Back in sight, and somebody asks again.
  box.forge().SetMember(box.repo(), "swage-bot", Role::kWrite);
  box.KillServer();
  box.StartServer();
  ASSERT_TRUE(box.WaitForLog("polling a repository from now on"));
  box.forge().Comment(box.repo(), "ada", 1, "/swage retry");
  EXPECT_TRUE(box.WaitForSticky(1, "in review"));
}

TEST_P(MovedOn, Fault_X23_AnArchivedRepositoryParksItsTask) {
  Box box(Polling(""));
  box.SetAgent(PatientAgent(box));
  box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "begun"));
  box.KillServer();
  With(box, [](sandbox::World&, sandbox::Repo& repo) { repo.archived = true; });
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "go", "").ok());
  box.StartServer();
  ASSERT_TRUE(box.WaitFor([&] { return State(box) == "waiting"; })) << State(box);
  EXPECT_THAT(Reason(box), HasSubstr("is archived"));
  EXPECT_THAT(box.Pulls(), IsEmpty());
}

TEST_P(MovedOn, Fault_X24_AnIssueClosedOrUnlabelledWhileTheAgentWorksEndsIt) {
  for (const bool close : {true, false}) {
    Box box(Polling(""));
    box.SetAgent("echo $$ > " + (box.dir() / "pid.tmp").string() + "; mv " +
                 (box.dir() / "pid.tmp").string() + " " + (box.dir() / "pid").string() +
                 "; sleep 600\n");
    const std::int64_t issue = box.LabelledIssue("The answer is wrong");
    ASSERT_TRUE(box.WaitForFile(box.dir() / "pid"));
    const pid_t agent = std::stoi(*ReadFile(box.dir() / "pid"));
    if (close) {
      box.forge().CloseIssue(box.repo(), "ada", issue);
    } else {
      box.forge().RemoveLabel(box.repo(), "ada", issue, "swage");
    }
    EXPECT_TRUE(box.WaitFor([&] { return State(box) == "cancelled"; })) << State(box);
    EXPECT_THAT(Reason(box), HasSubstr("by ada"));
    EXPECT_TRUE(box.WaitFor([&] { return kill(agent, 0) != 0; }));
    EXPECT_TRUE(box.WaitForSticky(issue, close ? "closed" : "was removed"));
    EXPECT_THAT(box.Pulls(), IsEmpty());
  }
}

TEST_P(MovedOn, Fault_X24_AnIssueClosedWhileTheGatesRunEndsThem) {
  Box box(Polling("echo 42 > answer.txt\n"));
  const std::string begun = (box.dir() / "gate").string();
  // The gate of the repository's own policy would not know where to look.
  ASSERT_TRUE(box.forge()
                  .CommitToBranch(box.repo(), "ada", "main",
                                  {{"check.sh", "touch " + begun + "; sleep 600\n"}}, "A slow gate")
                  .ok());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(begun));
  box.forge().CloseIssue(box.repo(), "ada", issue);
  EXPECT_TRUE(box.WaitFor([&] { return State(box) == "cancelled"; })) << State(box);
  EXPECT_THAT(box.Pulls(), IsEmpty());
}

// The news is lost for good: only the last look before the pull request can tell.
TEST_P(MovedOn, Fault_X24_NothingIsOpenedForAnIssueThatWasDroppedDuringThePush) {
  for (const bool close : {true, false}) {
    Box box(Options(AnswerRepo(), TwoCycleAgent()));
    ASSERT_TRUE(box.forge().faults().Add(Refusal("git-receive-pack")).ok());
    const std::int64_t issue = box.LabelledIssue("The answer is wrong");
    ASSERT_TRUE(box.WaitForLog("effect failed; will be tried again"));
    sandbox::FaultRule drop;
    drop.action = sandbox::FaultAction::kWebhookDrop;
    drop.times = -1;
    ASSERT_TRUE(box.forge().faults().Add(drop).ok());
    if (close) {
      box.forge().CloseIssue(box.repo(), "ada", issue);
    } else {
      box.forge().RemoveLabel(box.repo(), "ada", issue, "swage");
    }
    ASSERT_TRUE(box.forge().WaitForWebhooks());
    box.forge().faults().Clear();
    EXPECT_TRUE(box.WaitFor([&] { return State(box) == "cancelled"; })) << State(box);
    EXPECT_THAT(box.Pulls(), IsEmpty());
    EXPECT_TRUE(box.WaitForSticky(issue, close ? "closed" : "taken away"));
  }
}

TEST_P(MovedOn, Fault_X24_ADeletedIssueEndsItsTask) {
  Box box(Polling(""));
  box.SetAgent(PatientAgent(box));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "begun"));
  With(box, [&](sandbox::World& world, sandbox::Repo& repo) {
    world.DeleteIssue(repo, *world.FindUser("acme"), issue);
  });
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "go", "").ok());
  EXPECT_TRUE(box.WaitFor([&] { return State(box) == "cancelled"; })) << State(box) << Reason(box);
  EXPECT_THAT(box.Pulls(), IsEmpty());
}

TEST_P(MovedOn, Fault_X25_ClosedAndMergedByAHumanIsFinal) {
  for (const bool merge : {true, false}) {
    Box box(Polling(TwoCycleAgent()));
    const std::int64_t issue = box.LabelledIssue("The answer is wrong");
    ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
    const std::int64_t number = box.Pulls().front().number;
    if (merge) {
      ASSERT_TRUE(box.forge().MergePull(box.repo(), "ada", number).ok());
    } else {
      box.forge().ClosePull(box.repo(), "ada", number);
    }
    EXPECT_TRUE(box.WaitFor([&] { return State(box) == (merge ? "merged" : "closed"); }));
    EXPECT_THAT(Reason(box), HasSubstr("by ada"));
    EXPECT_TRUE(box.WaitForSticky(issue, merge ? "merged" : "closed"));
    EXPECT_THAT(box.Pulls(), SizeIs(1));
  }
}

TEST_P(MovedOn, Fault_X25_AHumansPushPausesTheBotUntilItIsAsked) {
  const std::string agent =
      "if grep -q 'more of it' \"$1\"; then cat theirs.txt > seen.txt; exit 0; fi\n" +
      TwoCycleAgent();
  Box box(Polling(agent));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const sandbox::Pull pull = box.Pulls().front();
  const auto theirs = box.forge().CommitToBranch(box.repo(), "ada", pull.head_ref,
                                                 {{"theirs.txt", "mine\n"}}, "By hand");
  ASSERT_TRUE(theirs.ok());
  ASSERT_TRUE(box.WaitFor([&] { return State(box) == "waiting"; })) << State(box);
  EXPECT_THAT(Reason(box), HasSubstr("a human took over"));
  EXPECT_TRUE(box.WaitForSticky(issue, "took over"));
  EXPECT_TRUE(box.WaitFor([&] {
    int said = 0;
    for (const std::string& text : box.BotTexts()) {
      said += text.find("the branch is yours now") != std::string::npos ? 1 : 0;
    }
    return said == 1;
  }));
  EXPECT_EQ(box.forge().Branches(box.repo())[pull.head_ref], *theirs);

  box.CommentOnPull("ada", pull.number, "/swage fix more of it");
  const auto later =
      box.WaitForPull(issue, [&](const sandbox::Pull& now) { return now.head_sha != *theirs; });
  ASSERT_TRUE(later.has_value()) << State(box) << Reason(box);
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "theirs.txt"), "mine\n");
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "seen.txt"), "mine\n");
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

// The push comes while a run is under way, and its news is lost: the bot's own push finds it.
TEST_P(MovedOn, Fault_X25_APushThatMeetsAHumansCommitLeavesItAlone) {
  const std::string agent =
      "if grep -q 'more of it' \"$1\"; then touch BEGUN; until [ -e GO ]; do "
      "sleep 0.05; done; echo x > more.txt; exit 0; fi\n" +
      TwoCycleAgent();
  Box box(Options(AnswerRepo(), ""));
  std::string script = agent;
  script.replace(script.find("BEGUN"), 5, (box.dir() / "begun").string());
  script.replace(script.find("GO"), 2, (box.dir() / "go").string());
  box.SetAgent(script);
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const sandbox::Pull pull = box.Pulls().front();
  box.CommentOnPull("ada", pull.number, "/swage fix more of it");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "begun"));
  sandbox::FaultRule drop;
  drop.action = sandbox::FaultAction::kWebhookDrop;
  drop.times = -1;
  ASSERT_TRUE(box.forge().faults().Add(drop).ok());
  const auto theirs = box.forge().CommitToBranch(box.repo(), "ada", pull.head_ref,
                                                 {{"theirs.txt", "mine\n"}}, "By hand");
  ASSERT_TRUE(theirs.ok());
  ASSERT_TRUE(box.forge().WaitForWebhooks());
  box.forge().faults().Clear();
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "go", "").ok());
  ASSERT_TRUE(box.WaitFor([&] { return State(box) == "waiting"; })) << State(box) << Reason(box);
  EXPECT_EQ(box.forge().Branches(box.repo())[pull.head_ref], *theirs);
  EXPECT_TRUE(box.WaitForSticky(issue, "took over"));
}

SWAGE_EVERY_DIALECT(MovedOn);

}  // namespace
}  // namespace swage::test
