// What a GitHub App can do beside what every forge can, over real HTTP against the sandbox: tokens
// that reach no further than they should, checks in place of statuses, the App's one webhook.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/files.h"
#include "config/base/json.h"
#include "forge/github/github_forge.h"
#include "forge/github/webhook.h"
#include "forge/sandbox/sandbox_forge.h"
#include "tests/harness/requests.h"

namespace swage {
namespace {

using sandbox::FaultAction;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class GitHubAppForgeTest : public testing::Test {
 protected:
  void SetUp() override {
    sandbox::SandboxOptions options;
    options.data_dir = dir_.path();
    options.threads = 4;
    auto server = sandbox::SandboxForge::Start(options);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
    for (const char* repo : {"acme/lib", "acme/secret", "beta/tool"}) {
      ASSERT_TRUE(server_->CreateRepoFromFiles(repo, {{"a.txt", "a\n"}}).ok());
      server_->SetPrivate(repo, true);
    }
    server_->CreateUser("ann");
    app_ = server_->CreateApp("swage");
    server_->InstallApp("acme", {"acme/lib"});
    server_->InstallApp("beta");
    forge_ = Connect();
    lib_ = Ref("acme/lib");
    tool_ = Ref("beta/tool");
    head_ = {server_->Branches("acme/lib").at("main")};
  }

  void TearDown() override { test::RecordForContract(*server_); }

  std::unique_ptr<Forge> Connect() {
    ForgeSettings settings;
    settings.name = "gh";
    settings.kind = "github";
    settings.api_url = server_->ApiUrl();
    settings.git_url = server_->Url();
    settings.app = {app_.id, {"", app_.private_key}, ""};
    auto transport = MakeHttpTransport(GitHubTransportOptions(settings), clock_);
    auto forge = MakeGitHubAppForge(
        settings, *std::move(transport), [](auto inner) { return inner; }, clock_, redactor_);
    EXPECT_TRUE(forge.ok()) << forge.error().message;
    return *std::move(forge);
  }
  RepoRef Ref(const std::string& path) {
    return {"gh", std::to_string(server_->RepoId(path)), path};
  }
  CommitStatus Status(int annotations = 0, StatusState state = StatusState::kFailure) {
    CommitStatus status{head_, "swage/tests", state, "2 of 14 tests failed", "http://s/tasks/1"};
    status.summary = "**2** failed";
    for (int i = 1; i <= annotations; ++i) {
      status.annotations.push_back(
          {"a.txt", i % 7, Annotation::Level::kWarning, "rule", "line " + std::to_string(i)});
    }
    return status;
  }
  void LoseReply(const std::string& method, const std::string& path) {
    sandbox::FaultRule rule;
    rule.method = method;
    rule.path = path;
    rule.action = FaultAction::kResetAfter;
    ASSERT_TRUE(server_->faults().Add(rule).ok());
  }
  int Writes() {
    const auto requests = server_->Requests();
    return static_cast<int>(std::count_if(requests.begin(), requests.end(), test::Mutates));
  }

  TempDir dir_{"swage-app-"};
  SystemClock clock_;
  Redactor redactor_;
  std::unique_ptr<sandbox::SandboxForge> server_;
  sandbox::SandboxForge::AppIdentity app_;
  std::unique_ptr<Forge> forge_;
  RepoRef lib_;
  RepoRef tool_;
  CommitSha head_;
};

TEST_F(GitHubAppForgeTest, IsItsBot) {
  const auto self = forge_->GetSelf();
  ASSERT_TRUE(self.ok()) << self.error().message;
  EXPECT_EQ(self->login, "swage[bot]");
  EXPECT_TRUE(self->is_bot);
}

TEST_F(GitHubAppForgeTest, SeesWhatItsInstallationsCover) {
  const auto repos = forge_->Feed()->ListRepos();
  ASSERT_TRUE(repos.ok()) << repos.error().message;
  std::vector<std::string> paths;
  for (const Repo& repo : *repos) paths.push_back(repo.ref.path);
  EXPECT_THAT(paths, testing::UnorderedElementsAre("acme/lib", "beta/tool"));
  EXPECT_EQ(forge_->GetRepo("acme/secret").error().code, ErrorCode::kDenied);
}

TEST_F(GitHubAppForgeTest, WorksForSeveralInstallationsWithTokensOfTheirOwn) {
  const auto issue = server_->CreateIssue("acme/lib", "acme", "T", "B");
  const auto other = server_->CreateIssue("beta/tool", "beta", "T", "B");
  ASSERT_TRUE(
      forge_->EnsureComment(lib_, {ThreadKind::kIssue, issue}, "<!-- m -->", "<!-- m --> hello", "")
          .ok());
  ASSERT_TRUE(
      forge_
          ->EnsureComment(tool_, {ThreadKind::kIssue, other}, "<!-- m -->", "<!-- m --> hello", "")
          .ok());
  const auto note = server_->GetIssue("beta/tool", other)->notes.front();
  EXPECT_EQ(server_->LoginOf(note.author), "swage[bot]");
  // One to look and one to work, for each.
  EXPECT_EQ(server_->AppTokensMade(), 4U);
}

// A stolen token is worth one repository, and nothing that it was not made for.
TEST_F(GitHubAppForgeTest, ATokenReachesNoFurtherThanItsRepositoryAndPurpose) {
  const auto fetch = forge_->Remote(lib_, GitAccess::kRead);
  const auto push = forge_->Remote(lib_, GitAccess::kWrite);
  ASSERT_TRUE(fetch.ok() && push.ok());
  EXPECT_NE(fetch->password, push->password);
  const auto status = [&](const std::string& token, const std::string& method,
                          const std::string& path, const std::string& body = "") {
    TransportOptions options;
    options.base_url = server_->ApiUrl();
    options.headers = {{"Authorization", "Bearer " + token}};
    const auto transport = MakeHttpTransport(options, clock_);
    const auto response = (*transport)->Send({method, path, body});
    return response.ok() ? response->status : 0;
  };
  EXPECT_EQ(status(push->password, "GET", "/repos/acme/lib/contents/a.txt"), 200);
  EXPECT_EQ(status(push->password, "GET", "/repos/beta/tool"), 404);
  EXPECT_EQ(status(push->password, "GET", "/repos/acme/secret"), 404);
  EXPECT_EQ(status(push->password, "GET", "/repos/acme/lib/issues"), 403);
  EXPECT_EQ(status(push->password, "POST", "/repos/acme/lib/issues", R"({"title":"x"})"), 403);
  EXPECT_EQ(status(fetch->password, "PUT", "/repos/acme/lib/contents/b.txt", "{}"), 403);
  EXPECT_EQ(status(push->password, "GET", "/user"), 403);
  EXPECT_EQ(status(push->password, "GET", "/app"), 401);
  server_->AgeAppTokens(std::chrono::hours(2));
  EXPECT_EQ(status(push->password, "GET", "/repos/acme/lib/contents/a.txt"), 401);
  server_->ClearRequests();  // no adapter sent these
}

TEST_F(GitHubAppForgeTest, GoesOnWhenItsTokensHaveEnded) {
  ASSERT_TRUE(forge_->EnsureStatus(lib_, Status()).ok());
  server_->AgeAppTokens(std::chrono::hours(2));
  const auto again = forge_->EnsureStatus(lib_, Status(3));
  EXPECT_TRUE(again.ok()) << again.error().message;
}

TEST_F(GitHubAppForgeTest, ASuspendedInstallationConcernsItsRepositoriesAlone) {
  ASSERT_TRUE(forge_->EnsureStatus(lib_, Status()).ok());
  server_->SuspendApp("acme", true);
  const auto refused = forge_->EnsureStatus(lib_, Status(1));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kDenied);
  EXPECT_GT(refused.error().retry_after.count(), 0);
  EXPECT_THAT(refused.error().message, HasSubstr("suspended"));
  EXPECT_FALSE(forge_->Remote(lib_, GitAccess::kWrite).ok());
  EXPECT_TRUE(forge_->GetRepo("beta/tool").ok());
  server_->SuspendApp("acme", false);
  forge_->ForgetRights();
  EXPECT_TRUE(forge_->EnsureStatus(lib_, Status(1)).ok());
}

TEST_F(GitHubAppForgeTest, InstalledAnewItFindsItsNewInstallation) {
  ASSERT_TRUE(forge_->GetRepo("acme/lib").ok());
  server_->UninstallApp("acme");
  EXPECT_EQ(forge_->GetRepo("acme/lib").error().code, ErrorCode::kDenied);
  server_->InstallApp("acme");
  forge_->ForgetRights();
  EXPECT_TRUE(forge_->GetRepo("acme/lib").ok());
}

TEST_F(GitHubAppForgeTest, SaysWhichRightsAreWanting) {
  EXPECT_THAT(*forge_->FindMissingRights(), IsEmpty());
  server_->SetAppPermission("checks", "");
  server_->SetAppPermission("contents", "read");
  server_->SuspendApp("beta", true);
  const auto gaps = forge_->FindMissingRights();
  ASSERT_TRUE(gaps.ok()) << gaps.error().message;
  ASSERT_THAT(*gaps, SizeIs(3));
  EXPECT_THAT((*gaps)[0], HasSubstr("Contents: read and write; Checks: read and write"));
  EXPECT_THAT((*gaps)[1], HasSubstr("the installation of acme does not grant"));
  EXPECT_THAT((*gaps)[2], HasSubstr("the installation of beta is suspended"));
}

// --- checks ---

TEST_F(GitHubAppForgeTest, SaysACheckPerContextAndOnlyWhenItChanges) {
  CommitStatus status = Status(2);
  ASSERT_TRUE(forge_->EnsureStatus(lib_, status).ok());
  const int writes = Writes();
  ASSERT_TRUE(forge_->EnsureStatus(lib_, status).ok());
  EXPECT_EQ(Writes(), writes);
  auto runs = server_->CheckRuns("acme/lib");
  ASSERT_THAT(runs, SizeIs(1));
  EXPECT_EQ(runs[0].name, "swage/tests");
  EXPECT_EQ(runs[0].head_sha, head_.value);
  EXPECT_EQ(runs[0].conclusion, "failure");
  EXPECT_EQ(runs[0].details_url, "http://s/tasks/1");
  EXPECT_EQ(runs[0].title, "2 of 14 tests failed");
  EXPECT_THAT(runs[0].annotations, SizeIs(2));
  status.state = StatusState::kNeutral;
  ASSERT_TRUE(forge_->EnsureStatus(lib_, status).ok());
  runs = server_->CheckRuns("acme/lib");
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[1].conclusion, "neutral");
  EXPECT_THAT(server_->Statuses("acme/lib"), IsEmpty());
}

TEST_F(GitHubAppForgeTest, ManyAnnotationsGoInBatches) {
  const auto posted = forge_->EnsureStatus(lib_, Status(120));
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  const auto runs = server_->CheckRuns("acme/lib");
  ASSERT_THAT(runs, SizeIs(1));
  ASSERT_THAT(runs[0].annotations, SizeIs(120));
  EXPECT_THAT(runs[0].annotations[119], HasSubstr("line 120"));
  EXPECT_EQ(Writes(), 3);
}

// X8, X9: a lost reply leaves one run, and no annotation twice.
TEST_F(GitHubAppForgeTest, Fault_X8_ALostReplyMakesNoSecondCheckAndNoSecondAnnotation) {
  LoseReply("POST", "/check-runs$");
  EXPECT_FALSE(forge_->EnsureStatus(lib_, Status(120)).ok());
  LoseReply("PATCH", "/check-runs/");
  EXPECT_FALSE(forge_->EnsureStatus(lib_, Status(120)).ok());
  ASSERT_TRUE(forge_->EnsureStatus(lib_, Status(120)).ok());
  const auto runs = server_->CheckRuns("acme/lib");
  ASSERT_THAT(runs, SizeIs(1));
  ASSERT_THAT(runs[0].annotations, SizeIs(120));
  EXPECT_THAT(runs[0].annotations[50], HasSubstr("line 51"));
}

TEST_F(GitHubAppForgeTest, NastyTextsFitTheForgesLimits) {
  CommitStatus status = Status();
  status.description = std::string(5'000, 'x') + "\xF0\x9F\x92\xA9";
  status.summary.clear();
  for (int i = 0; i < 40'000; ++i) status.summary += "\xE2\x82\xAC";
  status.annotations = {
      {"a.txt", 0, Annotation::Level::kFailure, std::string(900, 't'), std::string(200'000, 'm')}};
  const auto posted = forge_->EnsureStatus(lib_, status);
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  const auto runs = server_->CheckRuns("acme/lib");
  ASSERT_THAT(runs, SizeIs(1));
  EXPECT_LE(runs[0].summary.size(), 65'535U);
}

TEST_F(GitHubAppForgeTest, ARunAskedForAgainIsAnsweredByAnother) {
  ASSERT_TRUE(forge_->EnsureStatus(lib_, Status()).ok());
  server_->RerequestRun("acme/lib", "acme", server_->CheckRuns("acme/lib")[0].id);
  ASSERT_TRUE(forge_->EnsureStatus(lib_, Status()).ok());
  const auto runs = server_->CheckRuns("acme/lib");
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[1].conclusion, "failure");
}

// --- the App's webhook ---

TEST_F(GitHubAppForgeTest, FindsLostDeliveriesOfTheAppsOneHook) {
  server_->SetAppWebhook("http://127.0.0.1:1/hooks/gh", "secret");
  server_->CreateIssue("acme/lib", "acme", "T", "B");
  server_->CreateIssue("acme/secret", "acme", "not the App's", "B");
  server_->CreateIssue("beta/tool", "beta", "T", "B");
  ASSERT_TRUE(server_->WaitForWebhooks());
  ForgeFeed& feed = *forge_->Feed();
  const auto hooks = feed.ListHooks(lib_);
  ASSERT_TRUE(hooks.ok()) << hooks.error().message;
  ASSERT_THAT(*hooks, SizeIs(1));
  EXPECT_TRUE(hooks->front().shared);
  EXPECT_EQ(hooks->front().url, "http://127.0.0.1:1/hooks/gh");
  const auto lost = feed.ListDeliveries(lib_, hooks->front().id, 0);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  ASSERT_THAT(*lost, SizeIs(2));
  const auto body = feed.GetDeliveryBody(lib_, hooks->front().id, lost->back().id);
  ASSERT_TRUE(body.ok()) << body.error().message;
  EXPECT_THAT(*body, HasSubstr("acme/lib"));
  EXPECT_THAT(*feed.ListDeliveries(lib_, 0, lost->front().id), IsEmpty());
}

TEST_F(GitHubAppForgeTest, UnderstandsWhatAppsAreTold) {
  server_->SetAppWebhook("http://127.0.0.1:1/hooks/gh", "secret");
  server_->SuspendApp("acme", true);
  server_->SuspendApp("acme", false);
  server_->ChangeAppRepos("acme", {"acme/secret"}, {});
  server_->ChangeAppRepos("acme", {}, {"acme/lib"});
  server_->UninstallApp("beta");
  ASSERT_TRUE(server_->WaitForWebhooks());
  const auto dialect = MakeGitHubDialect();
  std::vector<AccessChanged> heard;
  for (const sandbox::Delivery& delivery : server_->Deliveries()) {
    const auto event = dialect->Parse("gh", delivery.event, delivery.payload);
    ASSERT_TRUE(event.ok());
    ASSERT_EQ(EventName(*event), "AccessChanged") << delivery.payload;
    heard.push_back(std::get<AccessChanged>(*event));
    EXPECT_EQ(heard.back().repo.forge, "gh");
  }
  using Kind = AccessChanged::Kind;
  ASSERT_THAT(heard, SizeIs(5));
  EXPECT_EQ(heard[0].kind, Kind::kSuspended);
  EXPECT_EQ(heard[0].owner, "acme");
  EXPECT_EQ(heard[1].kind, Kind::kGranted);
  EXPECT_EQ(heard[2].kind, Kind::kGranted);
  EXPECT_THAT(heard[2].repos, ElementsAre(Ref("acme/secret")));
  EXPECT_EQ(heard[3].kind, Kind::kRemoved);
  EXPECT_THAT(heard[3].repos, ElementsAre(lib_));
  EXPECT_EQ(heard[4].kind, Kind::kRemoved);
  EXPECT_EQ(heard[4].owner, "beta");
}

TEST_F(GitHubAppForgeTest, UnderstandsTheButtonsOfItsChecksAndNoOthers) {
  server_->SetAppWebhook("http://127.0.0.1:1/hooks/gh", "secret");
  ASSERT_TRUE(forge_->EnsureStatus(lib_, Status()).ok());
  const auto run = server_->CheckRuns("acme/lib")[0].id;
  server_->RerequestRun("acme/lib", "ann", run);
  server_->RerequestSuite("acme/lib", "ann", head_.value);
  server_->RequestAction("acme/lib", "ann", run, "rerun");
  server_->RequestAction("acme/lib", "ann", run, "reformat-the-disk");
  server_->With([&](sandbox::World& world) {
    world.FindRepo("acme/lib")->check_runs[0].external_id = "somebody else's";
  });
  server_->RerequestRun("acme/lib", "ann", run);
  ASSERT_TRUE(server_->WaitForWebhooks());
  const auto dialect = MakeGitHubDialect();
  std::vector<std::string> contexts;
  std::vector<std::string> names;
  for (const sandbox::Delivery& delivery : server_->Deliveries()) {
    const auto event = dialect->Parse("gh", delivery.event, delivery.payload);
    ASSERT_TRUE(event.ok());
    names.emplace_back(EventName(*event));
    const auto* asked = std::get_if<ChecksRerequested>(&*event);
    if (asked == nullptr) continue;
    EXPECT_EQ(asked->actor.login, "ann");
    EXPECT_EQ(asked->head.value, head_.value);
    contexts.push_back(asked->context);
  }
  EXPECT_THAT(names, ElementsAre("ChecksRerequested", "ChecksRerequested", "ChecksRerequested",
                                 "Ignored", "Ignored"));
  EXPECT_THAT(contexts, ElementsAre("swage/tests", "", ""));
}

}  // namespace
}  // namespace swage
