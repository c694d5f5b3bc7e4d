// The main job with the bot as a GitHub App: several installations, checks with their buttons,
// tokens that end, and owners who change their minds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/text.h"
#include "tests/harness/box.h"

namespace swage::test {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

BoxOptions AppOptions(std::string agent = TwoCycleAgent()) {
  BoxOptions options;
  options.app = true;
  options.files = AnswerRepo();
  options.agent = std::move(agent);
  return options;
}

// Says that it began, and goes on once the test lets it.
std::string PatientAgent(const Box& box) {
  const std::string dir = box.dir().string();
  return "touch " + dir + "/began\nwhile [ ! -e " + dir + "/go ]; do sleep 0.05; done\n" +
         TwoCycleAgent();
}

bool AllCompleted(const std::vector<sandbox::CheckRun>& runs, std::size_t count) {
  return runs.size() == count && std::all_of(runs.begin(), runs.end(), [](const auto& run) {
           return run.status == "completed";
         });
}

std::string StateOf(Box& box, std::int64_t issue) {
  return box.Query("SELECT state, reason FROM tasks WHERE issue_number = " + std::to_string(issue));
}

TEST(GitHubApp, EveryInstallationGetsItsPullRequestsAndChecks) {
  BoxOptions options = AppOptions();
  options.start = false;
  Box box(std::move(options));
  sandbox::SandboxForge& forge = box.forge();
  ASSERT_TRUE(forge.CreateRepoFromFiles("beta/tool", AnswerRepo()).ok());
  for (const char* repo : {"acme/lib", "beta/tool"}) forge.SetPrivate(repo, true);
  forge.SetMember("beta/tool", "ada", Role::kMaintain);
  forge.InstallApp("beta", {"beta/tool"});
  box.EditConfig("[\"acme/*\"]", "[\"acme/*\", \"beta/*\"]");
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
  const std::int64_t other = forge.CreateIssue("beta/tool", "ada", "The answer is wrong", "Please");
  forge.AddLabel("beta/tool", "ada", other, "swage");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  ASSERT_TRUE(box.WaitFor([&] { return AllCompleted(forge.CheckRuns("beta/tool"), 2); }));

  for (const char* repo : {"acme/lib", "beta/tool"}) {
    ASSERT_THAT(forge.Pulls(repo), SizeIs(1)) << repo;
    const sandbox::Pull pull = forge.Pulls(repo).front();
    EXPECT_EQ(forge.LoginOf(pull.author), "swage-bot[bot]");
    EXPECT_EQ(*forge.ReadFileAt(repo, pull.head_ref, "answer.txt"), "42\n");
    EXPECT_THAT(forge.Statuses(repo), IsEmpty());
    const auto runs = forge.CheckRuns(repo);
    ASSERT_THAT(runs, SizeIs(2));
    for (const sandbox::CheckRun& run : runs) {
      EXPECT_EQ(run.head_sha, pull.head_sha);
      EXPECT_THAT(run.details_url, HasSubstr("/tasks/"));
      const bool tests = run.name == "swage/tests";
      EXPECT_EQ(run.conclusion, tests ? "success" : "neutral");
      EXPECT_THAT(run.annotations, SizeIs(tests ? 0 : 1));
    }
  }
  // T49: whatever was bought is in no log; each token but those to look is for one repository, and
  // only those of pushes may write contents.
  EXPECT_THAT(box.AllLogs(), Not(HasSubstr("ghs_")));
  forge.With([](sandbox::World& world) {
    for (const auto& [token, what] : world.apps().tokens) {
      const bool looks = what.permissions.size() == 1;
      EXPECT_EQ(what.repos.has_value(), !looks);
      EXPECT_TRUE(!what.repos || what.repos->size() == 1U);
      const auto contents = what.permissions.find("contents");
      const bool pushes = contents != what.permissions.end() && contents->second == "write";
      EXPECT_TRUE(!pushes || what.permissions.size() == 2U);
    }
  });
  // T20: its own comments and checks start nothing.
  EXPECT_TRUE(box.Settle());
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "2");
}

TEST(GitHubApp, TheRerunButtonsRunTheGatesAgain) {
  Box box(AppOptions());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  const sandbox::Pull pull = box.Pulls().front();
  auto runs = box.forge().CheckRuns(box.repo());
  ASSERT_THAT(runs, SizeIs(2));

  box.forge().RerequestRun(box.repo(), "ada", runs[0].id);
  ASSERT_TRUE(box.WaitFor([&] {
    return AllCompleted({box.forge().CheckRuns(box.repo()).back()}, 1) &&
           box.forge().CheckRuns(box.repo()).size() == 3;
  }));
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_EQ(box.forge().CheckRuns(box.repo()).back().head_sha, pull.head_sha);
  EXPECT_EQ(box.Query("SELECT run FROM tasks"), "2");

  ASSERT_TRUE(box.WaitFor([&] { return StateOf(box, issue).starts_with("in_review"); }));
  box.forge().RequestAction(box.repo(), "ada", runs[1].id, "rerun");
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT run FROM tasks") == "3"; }));
  ASSERT_TRUE(box.WaitFor([&] { return StateOf(box, issue).starts_with("in_review"); }));
  box.forge().RerequestSuite(box.repo(), "ada", pull.head_sha);
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT run FROM tasks") == "4"; }));
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

// The same question as for the comment `/swage gates`.
TEST(GitHubApp, TheRerunButtonIsNotForReaders) {
  Box box(AppOptions());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  const auto runs = box.forge().CheckRuns(box.repo());
  ASSERT_THAT(runs, SizeIs(2));
  box.forge().RerequestRun(box.repo(), "eve", runs[0].id);
  box.forge().RerequestRun(box.repo(), "eve", runs[0].id);
  const auto answers = [&] {
    int count = 0;
    for (const sandbox::Note& note : box.Pulls().front().notes) {
      count += note.body.find("eve") != std::string::npos ? 1 : 0;
    }
    return count;
  };
  ASSERT_TRUE(box.WaitFor([&] { return answers() == 1; }));
  EXPECT_TRUE(box.Settle());
  EXPECT_EQ(answers(), 1);
  EXPECT_EQ(box.Query("SELECT run FROM tasks"), "1");
}

TEST(GitHubApp, TasksOfASuspendedInstallationWaitAndGoOn) {
  BoxOptions options = AppOptions("true\n");
  options.start = false;
  Box box(std::move(options));
  box.SetAgent(PatientAgent(box));
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "began"));
  box.forge().SuspendApp("acme", true);
  ASSERT_TRUE(box.WaitFor([&] { return StateOf(box, issue).starts_with("waiting"); }));
  EXPECT_THAT(StateOf(box, issue), HasSubstr("installation for acme is suspended"));
  EXPECT_THAT(StateOf(box, issue), HasSubstr("an owner lifts that"));
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "go", "", 0644).ok());
  box.forge().SuspendApp("acme", false);
  ASSERT_TRUE(box.WaitFor([&] { return StateOf(box, issue).starts_with("in_review"); }))
      << StateOf(box, issue);
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

// Nobody tells the server: its own requests do.
// Limits are counted per installation, and so is what the bot keeps of them.
TEST(GitHubApp, OneOrganisationsLimitHoldsNoOtherBack) {
  BoxOptions options = AppOptions();
  options.start = false;
  options.intake = "both";
  Box box(std::move(options));
  sandbox::SandboxForge& forge = box.forge();
  ASSERT_TRUE(forge.CreateRepoFromFiles("beta/tool", AnswerRepo()).ok());
  forge.SetMember("beta/tool", "ada", Role::kMaintain);
  forge.InstallApp("beta", {"beta/tool"});
  box.EditConfig("[\"acme/*\"]", "[\"acme/*\", \"beta/*\"]");
  sandbox::FaultRule limit;
  limit.action = sandbox::FaultAction::kSecondaryLimit;
  limit.path = "/repos/acme/";
  limit.retry_after_s = 3'600;
  limit.times = -1;
  ASSERT_TRUE(forge.faults().Add(limit).ok());
  box.StartServer();
  box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForLog("forge paused"));
  const std::int64_t other = forge.CreateIssue("beta/tool", "ada", "The answer is wrong", "Please");
  forge.AddLabel("beta/tool", "ada", other, "swage");
  ASSERT_TRUE(box.WaitFor([&] { return AllCompleted(forge.CheckRuns("beta/tool"), 2); }))
      << box.ServerLog();
  EXPECT_THAT(forge.Pulls("beta/tool"), SizeIs(1));
  EXPECT_THAT(box.Pulls(), IsEmpty());
  EXPECT_EQ(box.Query("SELECT scope, cause FROM paces WHERE breaker <> 'closed'"),
            "box@acme|limit");
}

TEST(GitHubApp, WithoutWebhooksALockedOutRepositoryLosesNothing) {
  BoxOptions options = AppOptions("true\n");
  options.start = false;
  options.intake = "poll";
  options.webhook = false;
  options.extra_config = "limits: {tasks: 1}\n";
  Box box(std::move(options));
  box.SetAgent(PatientAgent(box));
  box.StartServer();
  const std::int64_t first = box.LabelledIssue("One");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "began"));
  const std::int64_t second = box.LabelledIssue("Two");
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT count(*) FROM tasks") == "2"; }));
  box.forge().SuspendApp("acme", true);
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "go", "", 0644).ok());
  ASSERT_TRUE(box.WaitForLog("forge paused: it refuses the bot's credential"));
  EXPECT_THAT(box.ServerLog(), HasSubstr("is suspended"));
  EXPECT_THAT(StateOf(box, first), testing::StartsWith("running"));
  // Claimed for the place that became free, and given back.
  EXPECT_TRUE(box.WaitFor([&] { return StateOf(box, second).starts_with("queued"); }));
  EXPECT_EQ(box.Query("SELECT count(*) FROM effects WHERE state = 'failed'"), "0");
}

TEST(GitHubApp, ARepositoryThatIsTakenAwayAndGivenBack) {
  BoxOptions options = AppOptions("true\n");
  options.start = false;
  Box box(std::move(options));
  box.SetAgent(PatientAgent(box));
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "began"));
  box.forge().ChangeAppRepos("acme", {}, {"acme/lib"});
  ASSERT_TRUE(box.WaitFor([&] { return StateOf(box, issue).starts_with("waiting"); }));
  EXPECT_THAT(StateOf(box, issue), HasSubstr("acme took the repository away"));
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "go", "", 0644).ok());
  box.forge().ChangeAppRepos("acme", {"acme/lib"}, {});
  ASSERT_TRUE(box.WaitFor([&] { return StateOf(box, issue).starts_with("in_review"); }))
      << StateOf(box, issue);
}

TEST(GitHubApp, TokensThatEndInTheMiddleOfATaskAreRenewed) {
  BoxOptions options = AppOptions("true\n");
  options.start = false;
  Box box(std::move(options));
  box.SetAgent(PatientAgent(box));
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
  ASSERT_TRUE(box.WaitForFile(box.dir() / "began"));
  // Two hours pass for the forge, none for the bot, which takes its tokens for good.
  box.forge().AgeAppTokens(std::chrono::hours(2));
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "go", "", 0644).ok());
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  EXPECT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_THAT(box.ServerLog(), Not(HasSubstr("forge paused")));
}

// A5: the App has one list of deliveries for all of its repositories.
TEST(GitHubApp, DeliveriesThatNobodyTookAreFetchedFromTheAppsList) {
  BoxOptions options = AppOptions();
  options.start = false;
  options.intake = "both";
  Box box(std::move(options));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
  ASSERT_TRUE(box.forge().WaitForWebhooks());
  const auto sent = box.forge().Deliveries();
  ASSERT_THAT(sent, Not(IsEmpty()));
  box.StartServer();
  ASSERT_TRUE(box.WaitForLog("webhooks that never arrived were fetched"));
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  for (const sandbox::Delivery& delivery : sent) {
    EXPECT_EQ(box.Query("SELECT count(*) FROM deliveries WHERE key = '" + delivery.guid + "'"), "1")
        << delivery.event << " " << delivery.action;
  }
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "1");
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

TEST(GitHubApp, DoctorSaysWhatTheAppLacks) {
  Box box(AppOptions());
  const auto well = box.Run({"doctor", "forges"});
  EXPECT_EQ(well.code, 0) << well.out << well.err;
  EXPECT_THAT(well.out, HasSubstr("signed in as swage-bot[bot], nothing is wanting"));
  box.forge().SetAppPermission("pull_requests", "read");
  const auto ill = box.Run({"doctor", "forges"});
  EXPECT_EQ(ill.code, 1);
  EXPECT_THAT(ill.out, HasSubstr("Pull requests: read and write"));
}

}  // namespace
}  // namespace swage::test
