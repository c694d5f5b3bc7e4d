// The quirks of this dialect that a well-behaved server does not show; the rest is in the forge
// suite.
#include "forge/github/github_forge.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/harness/fake_transport.h"

namespace swage {
namespace {

using nlohmann::json;

constexpr const char* kSelf = R"({"id":1,"login":"swage-bot","type":"User"})";

class GitHubForgeTest : public testing::Test {
 protected:
  GitHubForgeTest() { Connect("https://api.github.com"); }

  void Connect(const std::string& api_url) {
    auto transport = std::make_unique<FakeTransport>();
    server_ = transport.get();
    ForgeSettings settings;
    settings.name = "gh";
    settings.api_url = api_url;
    settings.git_url = "https://github.com/";
    settings.token.value = "canary-token";
    forge_ = MakeGitHubForge(settings, std::move(transport), [](auto) {});
    server_->On("GET", "/user", 200, kSelf);
  }
  static std::string Pull(int number, const std::string& extra = "") {
    return R"({"number":)" + std::to_string(number) +
           R"(,"node_id":"PR_1","html_url":"u","title":"T","body":"B","state":"open","draft":false,
              "user":{"id":1},"base":{"ref":"main","repo":{"id":7}},
              "head":{"ref":"swage/1","sha":"abc","repo":{"id":7}})" +
           extra + "}";
  }

  FakeTransport* server_ = nullptr;
  std::unique_ptr<Forge> forge_;
  const RepoRef repo_{"gh", "7", "o/r"};
  const PullRequestDraft draft_{"swage/1", "main", "T", "B", false};
};

TEST_F(GitHubForgeTest, SendsTheCredentialInAHeaderOnly) {
  ForgeSettings settings;
  settings.api_url = "https://api.github.com";
  settings.token.value = "canary-token";
  const TransportOptions options = GitHubTransportOptions(settings);
  EXPECT_EQ(options.headers.at("Authorization"), "Bearer canary-token");
  EXPECT_EQ(options.base_url.find("canary"), std::string::npos);
  const auto remote = forge_->Remote(repo_, GitAccess::kWrite);
  ASSERT_TRUE(remote.ok());
  EXPECT_EQ(remote->url, "https://github.com/o/r.git");
  EXPECT_EQ(remote->username, "x-access-token");
}

TEST_F(GitHubForgeTest, ReadsTheRoleByItsNameAndAmountsForCustomOnes) {
  const auto role = [&](const std::string& answer) {
    server_->On("GET", "/collaborators/ann/permission", 200, answer);
    return *forge_->GetRole(repo_, {"9", "ann", false});
  };
  EXPECT_EQ(role(R"({"permission":"write","role_name":"maintain","user":{"id":9}})"),
            Role::kMaintain);
  EXPECT_EQ(role(R"({"permission":"read","role_name":"triage","user":{"id":9}})"), Role::kTriage);
  EXPECT_EQ(role(R"({"permission":"write","role_name":"release-manager","user":{"id":9}})"),
            Role::kWrite);
  EXPECT_EQ(role(R"({"permission":"none","role_name":"none","user":null})"), Role::kNone);
  // The login was taken over by another account since the event.
  EXPECT_EQ(role(R"({"permission":"admin","role_name":"admin","user":{"id":10}})"), Role::kNone);
}

TEST_F(GitHubForgeTest, FindsPullRequestsWithTheOwnerInTheFilter) {
  server_->On("GET", "/pulls?", 200, "[]");
  EXPECT_FALSE(forge_->FindPullRequest(repo_, "swage/1")->has_value());
  EXPECT_NE(server_->requests.back().path.find("head=o%3Aswage%2F1&state=all"), std::string::npos);
}

TEST_F(GitHubForgeTest, IgnoresPullRequestsOfForksAndOfOtherBranches) {
  json fork = json::parse(Pull(3));
  fork["head"]["repo"]["id"] = 8;
  json gone = json::parse(Pull(4));
  gone["head"]["repo"] = nullptr;
  json other = json::parse(Pull(5));
  other["head"]["ref"] = "swage/10";
  server_->On("GET", "/pulls?", 200, json::array({fork, gone, other, json::parse(Pull(2))}).dump());
  EXPECT_EQ((*forge_->FindPullRequest(repo_, "swage/1"))->number, 2);
}

TEST_F(GitHubForgeTest, AdoptsWhatAnotherCreationMade) {
  server_->On("GET", "/pulls/5", 200, Pull(5));
  server_->On("GET", "/pulls?", 200, "[" + Pull(5) + "]");
  server_->On("GET", "/pulls?", 200, "[]", 1);
  server_->On(
      "POST", "/pulls", 422,
      R"({"message":"Validation Failed","errors":[{"message":"A pull request already exists for o:swage/1."}]})");
  const auto pull = forge_->EnsurePullRequest(repo_, draft_);
  ASSERT_TRUE(pull.ok()) << pull.error().message;
  EXPECT_EQ(pull->number, 5);
}

TEST_F(GitHubForgeTest, WaitsForABranchThatTheApiDoesNotKnowYet) {
  server_->On("GET", "/pulls?", 200, "[]");
  server_->On(
      "POST", "/pulls", 422,
      R"({"message":"Validation Failed","errors":[{"resource":"PullRequest","field":"head","code":"invalid"}]})");
  EXPECT_EQ(forge_->EnsurePullRequest(repo_, draft_).error().code, ErrorCode::kUnavailable);
  server_->On(
      "POST", "/pulls", 422,
      R"({"message":"Validation Failed","errors":[{"message":"No commits between main and swage/1"}]})");
  EXPECT_EQ(forge_->EnsurePullRequest(repo_, draft_).error().code, ErrorCode::kInvalid);
}

TEST_F(GitHubForgeTest, WhereThereAreNoDraftsTheTitleSaysIt) {
  server_->On("GET", "/pulls?", 200, "[]");
  server_->On("POST", "/pulls", 201, Pull(5));
  server_->On("POST", "/pulls", 422,
              R"({"message":"Draft pull requests are not supported in this repository."})", 1);
  PullRequestDraft draft = draft_;
  draft.draft = true;
  EXPECT_TRUE(forge_->EnsurePullRequest(repo_, draft).ok());
  const auto sent = server_->Sent("POST", "/pulls");
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(json::parse(sent[0].body)["draft"], true);
  EXPECT_EQ(json::parse(sent[1].body)["draft"], false);
  EXPECT_EQ(json::parse(sent[1].body)["title"], "Draft: T");
}

TEST_F(GitHubForgeTest, AskedForGraphQlAtTheEnterpriseAddress) {
  Connect("https://ghe.example.com/api/v3");
  server_->On("GET", "/pulls?", 200, "[" + Pull(5) + "]");
  server_->On("GET", "/pulls/5", 200, Pull(5));
  server_->On("POST", "graphql", 200, R"({"data":{}})");
  PullRequestDraft draft = draft_;
  draft.draft = true;
  EXPECT_TRUE(forge_->EnsurePullRequest(repo_, draft).ok());
  const auto sent = server_->Sent("POST", "graphql");
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].path, "/api/graphql");
  EXPECT_TRUE(sent[0].from_root);
  EXPECT_NE(sent[0].body.find("convertPullRequestToDraft"), std::string::npos);
}

TEST_F(GitHubForgeTest, ATransferredIssueIsGoneAndARenamedRepositoryIsNot) {
  const auto issue = [](const std::string& home) {
    return R"({"id":1,"number":3,"state":"open","repository_url":"https://api.github.com/repos/)" +
           home + "\"}";
  };
  server_->On("GET", "/issues/3", 200, issue("O/R"));
  EXPECT_TRUE(forge_->GetIssue(repo_, 3).ok());
  server_->On("GET", "/issues/3", 200, issue("o/elsewhere"));
  server_->On("GET", "/repos/o/elsewhere", 200, R"({"id":8,"full_name":"o/elsewhere"})");
  EXPECT_EQ(forge_->GetIssue(repo_, 3).error().code, ErrorCode::kNotFound);
  server_->On("GET", "/issues/3", 200, issue("o/renamed"));
  server_->On("GET", "/repos/o/renamed", 200, R"({"id":7,"full_name":"o/renamed"})");
  EXPECT_TRUE(forge_->GetIssue(repo_, 3).ok());
  server_->On("GET", "/issues/3", 410, R"({"message":"This issue was deleted"})");
  EXPECT_EQ(forge_->GetIssue(repo_, 3).error().code, ErrorCode::kNotFound);
  server_->On("GET", "/issues/3", 200, R"({"number":3,"pull_request":{}})");
  EXPECT_EQ(forge_->GetIssue(repo_, 3).error().code, ErrorCode::kNotFound);
}

TEST_F(GitHubForgeTest, ReactsToEveryKindOfComment) {
  const Thread thread{ThreadKind::kPullRequest, 5};
  server_->On("POST", "", 201, R"({"data":{}})");
  EXPECT_TRUE(forge_->EnsureReaction(repo_, thread, "", Reaction::kEyes).ok());
  EXPECT_EQ(server_->requests.back().path, "/repos/o/r/issues/5/reactions");
  EXPECT_TRUE(forge_->EnsureReaction(repo_, thread, "12", Reaction::kThumbsUp).ok());
  EXPECT_EQ(server_->requests.back().path, "/repos/o/r/issues/comments/12/reactions");
  EXPECT_EQ(server_->requests.back().body, R"({"content":"+1"})");
  EXPECT_TRUE(forge_->EnsureReaction(repo_, thread, "review_comment:12", Reaction::kEyes).ok());
  EXPECT_EQ(server_->requests.back().path, "/repos/o/r/pulls/comments/12/reactions");
  server_->On("POST", "/graphql", 200, R"({"data":{}})");
  EXPECT_TRUE(forge_->EnsureReaction(repo_, thread, "review:PRR_1", Reaction::kRocket).ok());
  EXPECT_EQ(server_->requests.back().path, "/graphql");
  EXPECT_TRUE(forge_->EnsureReaction(repo_, thread, "../../x", Reaction::kEyes).ok());
  EXPECT_EQ(server_->requests.back().path, "/repos/o/r/issues/comments/..%2F..%2Fx/reactions");
}

class GitHubReviewTest : public GitHubForgeTest {
 protected:
  void SetUp() override {
    server_->On("GET", "/pulls/5/reviews", 200, "[]");
    server_->On("GET", "/pulls/5/comments", 200, "[]");
    server_->On(
        "GET", "/pulls/5/files", 200,
        R"([{"filename":"a.c","patch":"@@ -1,2 +1,3 @@\n x\n+y\n z"},{"filename":"logo.png"}])");
    server_->On("POST", "/pulls/5/reviews", 200, R"({"id":77,"html_url":"r"})");
    server_->On("POST", "/pulls/5/comments", 201, R"({"id":78})");
  }
  Result<PostedReview> Post(std::vector<LineComment> comments) {
    return forge_->EnsureReview(repo_, 5,
                                {{"abc"}, "<!-- swage:review 1 -->", "Body", std::move(comments)});
  }
  json LastReview() { return json::parse(server_->Sent("POST", "/reviews").back().body); }
};

TEST_F(GitHubReviewTest, CommentsAndNeverApproves) {
  const auto posted = Post({{"f", "a.c", 2, "remark"}});
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  EXPECT_EQ(posted->id, "77");
  const json sent = LastReview();
  EXPECT_EQ(sent["event"], "COMMENT");
  EXPECT_EQ(sent["commit_id"], "abc");
  EXPECT_EQ(sent["comments"][0]["line"], 2);
  EXPECT_EQ(sent["comments"][0]["side"], "RIGHT");
  EXPECT_EQ(sent["comments"][0]["body"], "<!-- swage:finding f -->\nremark");
}

TEST_F(GitHubReviewTest, ARefusedLineMovesEveryLineToItsFile) {
  server_->On("POST", "/pulls/5/reviews", 422, R"({"message":"Line could not be resolved"})", 1);
  ASSERT_TRUE(Post({{"f", "a.c", 2, "one"}, {"g", "a.c", 3, "two"}}).ok());
  const auto files = server_->Sent("POST", "/pulls/5/comments");
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(json::parse(files[0].body)["subject_type"], "file");
  EXPECT_TRUE(LastReview()["comments"].empty());
}

TEST_F(GitHubReviewTest, ARefusedFileMovesIntoTheBody) {
  server_->On("POST", "/pulls/5/comments", 422, R"({"message":"no"})");
  ASSERT_TRUE(Post({{"f", "logo.png", 2, "the remark"}}).ok());
  const std::string body = LastReview()["body"];
  EXPECT_NE(body.find("`logo.png:2`"), std::string::npos) << body;
  EXPECT_NE(body.find("the remark"), std::string::npos);
  EXPECT_NE(body.find("<!-- swage:finding f -->"), std::string::npos);
}

TEST_F(GitHubReviewTest, AReviewThatIsRefusedWithoutLinesIsInvalid) {
  server_->On("POST", "/pulls/5/reviews", 422,
              R"({"message":"commit_id is not part of the pull request"})");
  EXPECT_EQ(Post({{"f", "a.c", 2, "one"}}).error().code, ErrorCode::kInvalid);
}

TEST_F(GitHubReviewTest, WithoutGraphQlTheCommentItselfSaysThatItIsGone) {
  server_->On(
      "GET", "/pulls/5/comments", 200,
      R"([{"id":90,"user":{"id":1},"pull_request_review_id":77,"body":"<!-- swage:finding f -->\nx"}])");
  server_->On("POST", "/graphql", 200, R"({"errors":[{"type":"FORBIDDEN","message":"no"}]})");
  const auto posted = Post({{"f", "a.c", 2, "remark"}});
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  EXPECT_EQ(posted->comments.at(0).thread_id, "90");
  server_->On("GET", "/pulls/comments/90", 200,
              R"({"id":90,"body":"<!-- swage:finding f -->\nx"})");
  server_->On("PATCH", "/pulls/comments/90", 200, "{}");
  ASSERT_TRUE(forge_->ResolveThread(repo_, 5, "90", "No longer reported.").ok());
  const std::string body = json::parse(server_->requests.back().body)["body"];
  EXPECT_NE(body.find("No longer reported."), std::string::npos);
  // Said once: a second time nothing is written.
  server_->On("GET", "/pulls/comments/90", 200, json{{"id", 90}, {"body", body}}.dump());
  server_->requests.clear();
  ASSERT_TRUE(forge_->ResolveThread(repo_, 5, "90", "No longer reported.").ok());
  EXPECT_TRUE(server_->Sent("PATCH").empty());
}

TEST_F(GitHubReviewTest, AForgeThatIsDownIsNotTakenForOneWithoutThreads) {
  server_->On("GET", "/pulls/5/comments", 200,
              R"([{"id":90,"user":{"id":1},"body":"<!-- swage:finding f -->\nx"}])");
  server_->Fail("POST", "/graphql", MakeError(ErrorCode::kTimeout, "no answer"));
  EXPECT_EQ(Post({{"f", "a.c", 2, "remark"}}).error().code, ErrorCode::kTimeout);
  EXPECT_TRUE(server_->Sent("POST", "/reviews").empty());
}

}  // namespace
}  // namespace swage
