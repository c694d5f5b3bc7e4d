// The quirks of this dialect that a well-behaved server does not show; the rest is in the forge
// suite.
#include "forge/gitea/gitea_forge.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "forge/body.h"
#include "forge/gitea/diff_lines.h"
#include "tests/harness/fake_transport.h"

namespace swage {
namespace {

using nlohmann::json;

class GiteaForgeTest : public testing::Test {
 protected:
  GiteaForgeTest() {
    auto transport = std::make_unique<FakeTransport>();
    server_ = transport.get();
    ForgeSettings settings;
    settings.name = "gt";
    settings.api_url = "https://git.example.com/api/v1";
    settings.git_url = "https://git.example.com";
    settings.token.value = "canary-token";
    settings.repos = {"acme/*"};
    forge_ = MakeGiteaForge(settings, std::move(transport), [](auto) {});
    server_->On("GET", "/user", 200, R"({"id":1,"login":"swage-bot"})");
  }

  /// A list: this page, and then an empty one.
  void List(const std::string& path, const std::string& items) {
    server_->On("GET", path, 200, "[]");
    server_->On("GET", path, 200, items, 1);
  }
  static json Pull(int number, const std::string& branch, bool open = true, int head_repo = 7) {
    return {{"number", number},
            {"state", open ? "open" : "closed"},
            {"title", "T"},
            {"body", "B"},
            {"user", {{"id", 1}}},
            {"head", {{"ref", branch}, {"sha", "abc"}, {"repo_id", head_repo}}},
            {"base", {{"ref", "main"}, {"repo_id", 7}}}};
  }

  FakeTransport* server_ = nullptr;
  std::unique_ptr<Forge> forge_;
  const RepoRef repo_{"gt", "7", "acme/lib"};
  const PullRequestDraft draft_{"swage/1", "main", "T", "B", false};
  const Actor ann_{"9", "ann", false};
};

TEST_F(GiteaForgeTest, SendsTheCredentialInAHeaderOnly) {
  ForgeSettings settings;
  settings.token.value = "canary-token";
  EXPECT_EQ(GiteaTransportOptions(settings).headers.at("Authorization"), "token canary-token");
  EXPECT_EQ(forge_->Remote(repo_, GitAccess::kRead)->url, "https://git.example.com/acme/lib.git");
  EXPECT_EQ(forge_->Remote(repo_, GitAccess::kRead)->password, "canary-token");
}

// --- roles ---

TEST_F(GiteaForgeTest, AsksForAPermissionAsAnAdministrator) {
  const auto role = [&](const std::string& permission, int id = 9) {
    server_->On("GET", "/collaborators/ann/permission", 200,
                json{{"permission", permission}, {"user", {{"id", id}}}}.dump());
    return *forge_->GetRole(repo_, ann_);
  };
  EXPECT_EQ(role("owner"), Role::kAdmin);
  EXPECT_EQ(role("admin"), Role::kAdmin);
  EXPECT_EQ(role("write"), Role::kWrite);
  EXPECT_EQ(role("read"), Role::kRead);
  EXPECT_EQ(role("none"), Role::kNone);
  EXPECT_EQ(role("something new"), Role::kNone);
  EXPECT_EQ(role("admin", 10), Role::kNone) << "the name belongs to somebody else now";
}

// Refusals are pages in HTML, sometimes.
TEST_F(GiteaForgeTest, Threat_T15_WithoutThatRightOnlyAPersonsRepositoryTellsWhoWrites) {
  server_->On("GET", "/collaborators/ann/permission", 403, "<!DOCTYPE html><p>no</p>");
  server_->On("GET", "/collaborators/ann", 204, "");
  server_->On("GET", "/collaborators/ann/permission", 403, "<!DOCTYPE html><p>no</p>");
  server_->On("GET", "/repos/acme/lib", 200, R"({"id":7,"owner":{"id":2,"login":"acme"}})");
  server_->On("GET", "/collaborators/ann", 204, "", 0);
  server_->On("GET", "/repos/acme/lib/collaborators/ann", 204, "");
  server_->On("GET", "/repos/acme/lib/collaborators/ann/permission", 403, "<p>no</p>");
  server_->On("GET", "/assignees", 200, R"([{"id":9,"login":"ann"}])");
  server_->On("GET", "/orgs/acme", 404, "");
  EXPECT_EQ(*forge_->GetRole(repo_, ann_), Role::kWrite);
  server_->On("GET", "/assignees", 200, R"([{"id":10,"login":"ann"}])");
  EXPECT_EQ(*forge_->GetRole(repo_, ann_), Role::kRead) << "a collaborator of some rank";
  server_->On("GET", "/assignees", 200, R"([{"id":9,"login":"ann"}])");
  server_->On("GET", "/orgs/acme", 200, R"({"id":2})");
  EXPECT_EQ(*forge_->GetRole(repo_, ann_), Role::kRead) << "may be assigned, may only read";
  EXPECT_EQ(*forge_->GetRole(repo_, {"2", "ann", false}), Role::kAdmin) << "the owner";
}

TEST_F(GiteaForgeTest, TellsWhereTheAccountHasTooFewRights) {
  const auto repo = [](const std::string& path, bool push, bool admin) {
    return json{{"full_name", path},
                {"owner", {{"login", path.substr(0, path.find('/'))}}},
                {"permissions", {{"push", push}, {"admin", admin}}}};
  };
  List("/user/repos", json{repo("acme/read", false, false), repo("acme/write", true, false),
                           repo("acme/own", true, true), repo("other/read", false, false)}
                          .dump());
  server_->On("GET", "/orgs/acme", 200, R"({"id":2})");
  const auto gaps = forge_->FindMissingRights();
  ASSERT_TRUE(gaps.ok()) << gaps.error().message;
  ASSERT_EQ(gaps->size(), 2U);
  EXPECT_TRUE((*gaps)[0].starts_with("acme/read: the account may not write"));
  EXPECT_TRUE((*gaps)[1].starts_with("acme/write: only an administrator"));
}

TEST_F(GiteaForgeTest, KnowsItsOwnRightsFromTheRepository) {
  server_->On("GET", "/repos/acme/lib", 200,
              R"({"id":7,"permissions":{"admin":false,"push":true,"pull":true}})");
  EXPECT_EQ(*forge_->GetRole(repo_, {"1", "swage-bot", false}), Role::kWrite);
}

TEST_F(GiteaForgeTest, AnOrganisationIsNoAccount) {
  server_->On("GET", "/users/acme", 200, R"({"id":2,"login":"acme"})");
  server_->On("GET", "/orgs/acme", 200, R"({"id":2})");
  EXPECT_EQ(forge_->FindAccount("acme").error().code, ErrorCode::kNotFound);
}

TEST_F(GiteaForgeTest, LearnsWhereHiddenAddressesAre) {
  EXPECT_EQ(forge_->CommitEmail({"9", "Ann", false}), "ann@noreply.git.example.com");
  server_->On("GET", "/users/ann", 200,
              R"({"id":9,"login":"ann","email":"ann@noreply.example.org"})");
  server_->On("GET", "/orgs/ann", 404, "");
  ASSERT_TRUE(forge_->FindAccount("ann").ok());
  EXPECT_EQ(forge_->CommitEmail(ann_), "ann@noreply.example.org");
  server_->On("GET", "/users/ann", 200, R"({"id":9,"login":"ann","email":"ann@evil.example"})");
  ASSERT_TRUE(forge_->FindAccount("ann").ok());
  EXPECT_EQ(forge_->CommitEmail(ann_), "ann@noreply.example.org");
}

// --- lists ---

// The server's administrator has lowered what it hands out at once.
TEST_F(GiteaForgeTest, AShortPageIsNotTheLast) {
  server_->On("GET", "/labels", 200, "[]");
  server_->On("GET", "limit=50&page=2", 200, R"([{"name":"b"}])");
  server_->On("GET", "limit=50&page=1", 200, R"([{"name":"a"}])");
  EXPECT_EQ(*forge_->Feed()->ListLabels(repo_), (std::vector<std::string>{"a", "b"}));
}

TEST_F(GiteaForgeTest, AnUnknownLabelFiltersNothing) {
  List("/issues?", R"([{"number":1,"labels":[{"name":"swage"}]},{"number":2,"labels":[]}])");
  const auto issues = forge_->Feed()->ListLabelled(repo_, "swage");
  ASSERT_TRUE(issues.ok());
  ASSERT_EQ(issues->size(), 1U);
  EXPECT_EQ(issues->front().number, 1);
}

TEST_F(GiteaForgeTest, CutsTheTimeUntilTheChangesFit) {
  json page = json::array();
  for (int i = 0; i < 50; ++i) {
    page.push_back({{"number", i + 1},
                    {"updated_at", "2026-11-20T10:00:" + std::string(i < 10 ? "0" : "") +
                                       std::to_string(i) + "Z"}});
  }
  server_->On("GET", "/issues?", 200, page.dump());  // whatever page: there is more
  server_->On("GET", "before=2026-11-20T10%3A00%3A25", 200, "[]");
  server_->On("GET", "before=2026-11-20T10%3A00%3A25", 200, R"([{"number":3,
      "updated_at":"2026-11-20T10:00:02Z"}])",
              1);
  const auto changes = forge_->Feed()->ListChanges(repo_, WallTime{}, "");
  ASSERT_TRUE(changes.ok()) << changes.error().message;
  EXPECT_TRUE(changes->more);
  ASSERT_EQ(changes->changes.size(), 1U);
  EXPECT_EQ(changes->up_to, changes->changes.front().updated);
}

// --- what was done to an issue ---

TEST_F(GiteaForgeTest, Threat_T18_AnEditMayHideBehindAComment) {
  const auto acts = [&](const std::string& updated, const std::string& more) {
    List("/timeline",
         R"([{"id":1,"type":"label","body":"1","label":{"name":"swage"},"user":{"id":9},
              "created_at":"2026-11-20T10:00:00Z"})" +
             more + "]");
    server_->On("GET", "/issues/4", 200,
                json{{"number", 4}, {"updated_at", updated}, {"created_at", updated}}.dump(), 1);
    List("/timeline",
         R"([{"id":1,"type":"label","body":"1","label":{"name":"swage"},"user":{"id":9},
              "created_at":"2026-11-20T10:00:00Z"})" +
             more + "]");
    std::vector<ThreadAct::Kind> kinds;
    const auto told = forge_->Feed()->ListActs(repo_, {ThreadKind::kIssue, 4});
    EXPECT_TRUE(told.ok());
    for (const ThreadAct& act : told.ok() ? *told : std::vector<ThreadAct>()) {
      kinds.push_back(act.kind);
    }
    return kinds;
  };
  using enum ThreadAct::Kind;
  EXPECT_EQ(acts("2026-11-20T10:00:01Z", ""), std::vector{kLabeled});
  EXPECT_EQ(acts("2026-11-20T10:05:00Z",
                 R"(,{"id":2,"type":"comment","created_at":"2026-11-20T10:05:00Z"})"),
            (std::vector{kLabeled, kTextEdited}));
  EXPECT_EQ(acts("2026-11-20T10:05:00Z",
                 R"(,{"id":2,"type":"label","body":"","label":{"name":"swage"},
                     "created_at":"2026-11-20T10:05:00Z"})"),
            (std::vector{kLabeled, kUnlabeled}));
}

// --- pull requests ---

TEST_F(GiteaForgeTest, LooksAtEveryAnswerToTheIgnoredFilter) {
  List("/pulls?state=open",
       json{Pull(5, "other"), Pull(6, "swage/1", true, 8), Pull(4, "swage/1")}.dump());
  const auto found = forge_->FindPullRequest(repo_, "swage/1");
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ((*found)->number, 4) << "6 is somebody's fork";
}

TEST_F(GiteaForgeTest, FindsOneAmongTheClosed) {
  List("/pulls?state=open", "[]");
  List("/pulls?state=closed", json{Pull(3, "swage/1", false), Pull(2, "swage/1", false)}.dump());
  const auto found = forge_->FindPullRequest(repo_, "swage/1");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ((*found)->number, 3);
  EXPECT_EQ((*found)->state, PullRequestState::kClosed);
}

TEST_F(GiteaForgeTest, ABranchThatIsNotKnownYetIsWaitedFor) {
  List("/pulls?", "[]");
  server_->On("POST", "/pulls", 404, R"({"message":"The target couldn't be found."})");
  EXPECT_EQ(forge_->EnsurePullRequest(repo_, draft_).error().code, ErrorCode::kUnavailable);
  server_->On("POST", "/pulls", 422, R"({"message":"no changes"})");
  EXPECT_EQ(forge_->EnsurePullRequest(repo_, draft_).error().code, ErrorCode::kInvalid);
}

TEST_F(GiteaForgeTest, TakesEveryFormOfTheDraftsMarkOffATitle) {
  for (const char* title : {"WIP: T", "wip:T", "[WIP] T", "WIP: [wip] T"}) {
    json pull = Pull(4, "swage/1");
    pull["title"] = title;
    List("/pulls?state=open", json{pull}.dump());
    server_->On("PATCH", "/pulls/4", 201, Pull(4, "swage/1").dump());
    server_->requests.clear();
    const auto ready = forge_->EnsurePullRequest(repo_, draft_);
    ASSERT_TRUE(ready.ok()) << ready.error().message;
    EXPECT_EQ(json::parse(server_->Sent("PATCH").at(0).body)["title"], "T") << title;
    EXPECT_FALSE(ready->draft);
  }
}

// --- reviews ---

// The forge writes line comments one by one, and the review last.
TEST_F(GiteaForgeTest, Fault_X9_ThrowsAwayAReviewThatTheForgeDidNotFinish) {
  List("/pulls/2/reviews?", "[]");
  List("/pulls/2/reviews?", R"([{"id":30,"state":"PENDING","user":{"id":1},"comments_count":1}])");
  server_->On("DELETE", "/pulls/2/reviews/30", 204, "");
  server_->On("GET", "/pulls/2.diff", 200, "");
  server_->On("POST", "/pulls/2/reviews", 200, R"({"id":31,"html_url":"u"})");
  const ReviewDraft review{{"abc"}, "<!-- m -->", "text", {{"f", "a.txt", 1, "remark"}}};
  const auto posted = forge_->EnsureReview(repo_, 2, review);
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  EXPECT_EQ(posted->id, "31");
  EXPECT_EQ(server_->Sent("DELETE").size(), 1U);
  EXPECT_EQ(posted->comments.at(0).place, CommentPlace::kBody);
  const json sent = json::parse(server_->Sent("POST").at(0).body);
  EXPECT_TRUE(sent["comments"].empty());
  EXPECT_NE(sent["body"].get<std::string>().find("remark"), std::string::npos);
}

TEST_F(GiteaForgeTest, MarksARemarkWhoseConversationCannotBeResolved) {
  server_->On("GET", "/pulls/2/reviews/30/comments", 200,
              R"([{"id":40,"body":"other"},{"id":41,"body":"the remark"}])");
  server_->On("PATCH", "/issues/comments/41", 200, "{}");
  ASSERT_TRUE(forge_->ResolveThread(repo_, 2, "30:41", "Gone.").ok());
  const std::string body = json::parse(server_->Sent("PATCH").at(0).body)["body"];
  EXPECT_NE(body.find(GoneMarker()), std::string::npos);
  EXPECT_NE(body.find("the remark"), std::string::npos);
  EXPECT_EQ(forge_->ResolveThread(repo_, 2, "30:42", "Gone.").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(forge_->ResolveThread(repo_, 2, "30", "Gone.").error().code, ErrorCode::kInvalid);
}

TEST_F(GiteaForgeTest, FindsTheWordsOfAReviewThatAWebhookToldOf) {
  List("/pulls/2/reviews?",
       R"([{"id":30,"state":"COMMENT","body":"fix","user":{"id":9},"comments_count":1},
           {"id":31,"state":"COMMENT","body":"fix","user":{"id":8},"comments_count":0},
           {"id":32,"state":"COMMENT","body":"other","user":{"id":9},"comments_count":0}])");
  server_->On("GET", "/pulls/2/reviews/30/comments", 200,
              R"([{"id":40,"body":"/swage fix","user":{"id":9,"login":"ann"}},
                  {"id":41,"body":"an answer","user":{"id":8}}])");
  const auto review = forge_->GetReview({repo_, ann_, 2, "fix"});
  ASSERT_TRUE(review.ok()) << review.error().message;
  EXPECT_EQ(review->id, "30");
  EXPECT_EQ(review->text.id, "review:30");
  EXPECT_FALSE(review->asks_for_changes);
  ASSERT_EQ(review->comments.size(), 1U);
  EXPECT_EQ(review->comments[0].id, "40");
  EXPECT_EQ(review->comments[0].author.login, "ann");
  EXPECT_EQ(review->comments[0].place->thread_id, "30:40");
}

TEST_F(GiteaForgeTest, ReactsToTheTextOfAReviewByItsComment) {
  List("/issues/2/timeline", R"([{"id":50,"type":"review","review_id":30}])");
  server_->On("POST", "/issues/comments/50/reactions", 201, "{}");
  const Thread pull{ThreadKind::kPullRequest, 2};
  EXPECT_TRUE(forge_->EnsureReaction(repo_, pull, "review:30", Reaction::kEyes).ok());
}

// --- the diff ---

TEST(GiteaDiffLines, ReadsEveryFileOfADiff) {
  const auto files = gitea::DiffLines(
      "diff --git a/src/a.txt b/src/a.txt\nindex 1..2 100644\n--- a/src/a.txt\n+++ b/src/a.txt\n"
      "@@ -1,2 +1,3 @@\n one\n+diff --git a/x b/x\n two\n"
      "diff --git a/logo.png b/logo.png\nBinary files differ\n"
      "diff --git a/old.txt b/old.txt\ndeleted file mode 100644\n--- a/old.txt\n+++ /dev/null\n"
      "@@ -1 +0,0 @@\n-gone\n"
      "diff --git \"a/gr\\303\\274n \\\"x\\\".txt\" \"b/gr\\303\\274n \\\"x\\\".txt\"\n"
      "--- /dev/null\n+++ \"b/gr\\303\\274n \\\"x\\\".txt\"\n@@ -0,0 +1 @@\n+new\n"
      "diff --git a/a b.txt b/a b.txt\n--- a/a b.txt\t\n+++ b/a b.txt\t\n@@ -1 +1 @@\n-x\n+y\n");
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files.at("src/a.txt").size(), 3U);
  EXPECT_EQ(files.at("src/a.txt").at(3).old_line, 2);
  EXPECT_TRUE(files.at("grün \"x\".txt").contains(1));
  EXPECT_TRUE(files.at("a b.txt").contains(1));
}

TEST(GiteaDiffLines, SurvivesAnything) {
  for (const char* text : {"", "\n", "diff --git ", "diff --git a b\n+++ \"b/\\", "+++ b/x\n@@ -1",
                           "diff --git a/x b/x\n+++ \"b/\\777\\\"\n@@ -1 +1 @@\n"}) {
    gitea::DiffLines(text);
  }
  EXPECT_TRUE(gitea::DiffLines(std::string(1 << 20, 'x')).empty());
}

}  // namespace
}  // namespace swage
