// The quirks of this dialect that a well-behaved server does not show; the rest is in the forge
// suite.
#include "forge/gitlab/gitlab_forge.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "config/base/text.h"
#include "forge/gitlab/names.h"
#include "tests/harness/fake_transport.h"

namespace swage {
namespace {

using nlohmann::json;

class GitLabForgeTest : public testing::Test {
 protected:
  GitLabForgeTest() {
    auto transport = std::make_unique<FakeTransport>();
    server_ = transport.get();
    ForgeSettings settings;
    settings.name = "gl";
    settings.api_url = "https://gitlab.example.com/api/v4";
    settings.git_url = "https://gitlab.example.com";
    settings.token.value = "canary-token";
    forge_ = MakeGitLabForge(settings, std::move(transport),
                             [this](auto time) { slept_.push_back(time); });
    server_->On("GET", "/user", 200, R"({"id":1,"username":"swage-bot"})");
  }
  static std::string MergeRequest(int iid, const std::string& state = "opened") {
    return R"({"iid":)" + std::to_string(iid) +
           R"(,"web_url":"u","title":"T","description":"B","state":")" + state +
           R"(","source_branch":"swage/1","target_branch":"main","sha":"abc",
           "source_project_id":7,"target_project_id":7,"author":{"id":1}})";
  }

  FakeTransport* server_ = nullptr;
  std::unique_ptr<Forge> forge_;
  std::vector<std::chrono::milliseconds> slept_;
  const RepoRef repo_{"gl", "7", "g/s/p"};
  const PullRequestDraft draft_{"swage/1", "main", "T", "B", false};
};

TEST_F(GitLabForgeTest, SendsTheCredentialInAHeaderOnly) {
  ForgeSettings settings;
  settings.token.value = "canary-token";
  EXPECT_EQ(GitLabTransportOptions(settings).headers.at("PRIVATE-TOKEN"), "canary-token");
  const auto remote = forge_->Remote(repo_, GitAccess::kWrite);
  ASSERT_TRUE(remote.ok());
  EXPECT_EQ(remote->url, "https://gitlab.example.com/g/s/p.git");
  EXPECT_EQ(remote->username, "oauth2");
}

// --- what the token lacks

class GitLabRightsTest : public GitLabForgeTest {
 protected:
  GitLabRightsTest() {
    auto transport = std::make_unique<FakeTransport>();
    server_ = transport.get();
    server_->headers["date"] = "Sun, 06 Nov 1994 08:49:37 GMT";
    ForgeSettings settings;
    settings.repos = {"acme/lib", "beta/**", "!beta/secret"};
    forge_ = MakeGitLabForge(settings, std::move(transport), {});
    Token(R"(["api"])", "null");
    Member({"acme/lib", "beta/sub/tool", "beta/secret", "other/x"});
    Writable({"acme/lib", "beta/sub/tool"});
  }
  void Token(const std::string& scopes, const std::string& ends) {
    server_->On("GET", "/personal_access_tokens/self", 200,
                R"({"scopes":)" + scopes + R"(,"expires_at":)" + ends + "}");
  }
  void Member(const std::vector<std::string>& paths) {
    server_->On("GET", "/projects?membership=true", 200, Projects(paths));
  }
  void Writable(const std::vector<std::string>& paths) {
    server_->On("GET", "&min_access_level=30", 200, Projects(paths));
  }
  static std::string Projects(const std::vector<std::string>& paths) {
    json list = json::array();
    for (const std::string& path : paths) list.push_back({{"path_with_namespace", path}});
    return list.dump();
  }
  std::string Gaps() {
    const auto gaps = forge_->FindMissingRights();
    return gaps.ok() ? Join(*gaps, "|") : "error: " + gaps.error().message;
  }
};

TEST_F(GitLabRightsTest, NothingIsWantingOfAGoodToken) {
  EXPECT_EQ(Gaps(), "");
  Token(R"(["read_api","api"])", "\"1994-11-21\"");
  EXPECT_EQ(Gaps(), "") << "it lasts for a fortnight";
}

TEST_F(GitLabRightsTest, ATokenThatEndsSoonOrCanDoTooLittleIsTold) {
  Token(R"(["read_api"])", "\"1994-11-20\"");
  EXPECT_EQ(Gaps(),
            "the token lacks the scope api (it has read_api); make one that has it.|the token "
            "expires on 1994-11-20; rotate it before.");
  Token("null", "\"soon\"");
  EXPECT_EQ(Gaps(), "the token lacks the scope api; make one that has it.");
}

TEST_F(GitLabRightsTest, ATokenThatMayNotEvenLookAtItselfIsAskedNothingElse) {
  server_->On("GET", "/personal_access_tokens/self", 403, R"({"error":"insufficient_scope"})");
  EXPECT_EQ(Gaps(), "the token lacks the scope api; make one that has it.");
  EXPECT_EQ(server_->Sent("GET", "/projects").size(), 0u);
  server_->On("GET", "/personal_access_tokens/self", 404, "{}");
  EXPECT_EQ(Gaps(), "") << "an instance that does not know the question";
}

TEST_F(GitLabRightsTest, EveryServedProjectWantsADeveloper) {
  Writable({"Acme/Lib"});
  EXPECT_EQ(Gaps(),
            "beta/sub/tool: the account is no Developer there; give it that role, or make the "
            "token with it.");
  Member({});
  Writable({});
  EXPECT_EQ(Gaps().substr(0, 40), "acme/lib: the account is no Developer th") << "named, no member";
  server_->On("GET", "&min_access_level=30", 500, "{}");
  EXPECT_EQ(Gaps().substr(0, 6), "error:");
}

TEST_F(GitLabForgeTest, EncodesTheProjectPathAsOneSegment) {
  server_->On("GET", "/projects/g%2Fs%2Fp", 200, R"({"id":7,"path_with_namespace":"g/s/p"})");
  EXPECT_EQ(forge_->GetRepo("g/s/p")->ref.id, "7");
}

TEST_F(GitLabForgeTest, CountsInheritedMembersAndNoBlockedOnes) {
  const auto role = [&](const std::string& answer) {
    server_->On("GET", "/members/all/9", 200, answer);
    return *forge_->GetRole(repo_, {"9", "ann", false});
  };
  EXPECT_EQ(role(R"({"access_level":30,"state":"active"})"), Role::kWrite);
  EXPECT_EQ(role(R"({"access_level":20})"), Role::kTriage);
  EXPECT_EQ(role(R"({"access_level":10})"), Role::kRead);
  EXPECT_EQ(role(R"({"access_level":5})"), Role::kNone);
  EXPECT_EQ(role(R"({"access_level":50})"), Role::kAdmin);
  EXPECT_EQ(role(R"({"access_level":40,"state":"blocked"})"), Role::kNone);
}

TEST_F(GitLabForgeTest, ASecondAwardIsNoFailure) {
  server_->On("POST", "/award_emoji", 404,
              R"({"message":"404 Award Emoji Name has already been taken Not Found"})");
  const Thread thread{ThreadKind::kIssue, 3};
  EXPECT_TRUE(forge_->EnsureReaction(repo_, thread, "", Reaction::kThumbsUp).ok());
  EXPECT_EQ(server_->requests.back().body, R"({"name":"thumbsup"})");
  EXPECT_TRUE(forge_->EnsureReaction(repo_, thread, "12", Reaction::kEyes).ok());
  EXPECT_EQ(server_->requests.back().path, "/projects/7/issues/3/notes/12/award_emoji");
  server_->On("POST", "/award_emoji", 404, R"({"message":"404 Not found"})");
  EXPECT_EQ(forge_->EnsureReaction(repo_, thread, "", Reaction::kEyes).error().code,
            ErrorCode::kNotFound);
}

TEST_F(GitLabForgeTest, AdoptsWhatAnotherCreationMade) {
  server_->On("GET", "/merge_requests?", 200, "[" + MergeRequest(38) + "]");
  server_->On("GET", "/merge_requests?", 200, "[]", 1);
  server_->On(
      "POST", "/merge_requests", 409,
      R"({"message":["Another open merge request already exists for this source branch: !38"]})");
  const auto pull = forge_->EnsurePullRequest(repo_, draft_);
  ASSERT_TRUE(pull.ok()) << pull.error().message;
  EXPECT_EQ(pull->number, 38);
}

TEST_F(GitLabForgeTest, AMergeInProgressIsNotClosed) {
  server_->On("GET", "/merge_requests?", 200, "[" + MergeRequest(3, "locked") + "]");
  EXPECT_EQ((*forge_->FindPullRequest(repo_, "swage/1"))->state, PullRequestState::kOpen);
}

TEST_F(GitLabForgeTest, KeepsTheDraftMarkWithinTheTitlesLimit) {
  server_->On("GET", "/merge_requests?", 200, "[]");
  server_->On("POST", "/merge_requests", 201, MergeRequest(3));
  PullRequestDraft draft = draft_;
  draft.draft = true;
  draft.title = std::string(400, 'x');
  ASSERT_TRUE(forge_->EnsurePullRequest(repo_, draft).ok());
  const std::string title = json::parse(server_->requests.back().body)["title"];
  EXPECT_TRUE(title.starts_with("Draft: x"));
  EXPECT_LE(title.size(), 255U);
}

TEST_F(GitLabForgeTest, ATransitionIntoTheSameStateIsNoFailure) {
  server_->On("GET", "/statuses?", 200, "[]");
  const CommitStatus status{{"abc"}, "swage/tests", StatusState::kPending, "running", ""};
  server_->On("POST", "/statuses/abc", 400,
              R"({"message":"Cannot transition status via :enqueue from :pending"})");
  EXPECT_TRUE(forge_->EnsureStatus(repo_, status).ok());
  server_->On("POST", "/statuses/abc", 409, R"({"message":"409 Conflict"})");
  EXPECT_EQ(forge_->EnsureStatus(repo_, status).error().code, ErrorCode::kUnavailable);
  server_->On("POST", "/statuses/abc", 400, R"({"message":"name is invalid"})");
  EXPECT_EQ(forge_->EnsureStatus(repo_, status).error().code, ErrorCode::kInvalid);
}

class GitLabReviewTest : public GitLabForgeTest {
 protected:
  void SetUp() override {
    server_->On("GET", "/merge_requests/5", 200, MergeRequest(5));
    server_->On("GET", "/merge_requests/5/discussions", 200, "[]");
    server_->On(
        "GET", "/merge_requests/5/diffs", 200,
        R"([{"old_path":"old.c","new_path":"a.c","diff":"@@ -1,2 +1,3 @@\n x\n+y\n z\n"}])");
    server_->On("POST", "/merge_requests/5/discussions", 201, R"({"id":"d1"})");
    server_->On("POST", "/merge_requests/5/notes", 201, R"({"id":77})");
  }
  void Versions(const std::string& body, int times = -1) {
    server_->On("GET", "/merge_requests/5/versions", 200, body, times);
  }
  static constexpr const char* kReady =
      R"([{"id":9,"head_commit_sha":"abc","base_commit_sha":"b","start_commit_sha":"s"}])";
  Result<PostedReview> Post(std::vector<LineComment> comments) {
    return forge_->EnsureReview(repo_, 5,
                                {{"abc"}, "<!-- swage:review 1 -->", "Body", std::move(comments)});
  }
  json Position(std::size_t i) {
    return json::parse(server_->Sent("POST", "/discussions").at(i).body)["position"];
  }
};

TEST_F(GitLabReviewTest, NamesAddedLinesByOneNumberAndUnchangedOnesByBoth) {
  Versions(kReady);
  ASSERT_TRUE(Post({{"f", "a.c", 2, "added"}, {"g", "a.c", 3, "unchanged"}}).ok());
  EXPECT_EQ(Position(0)["new_line"], 2);
  EXPECT_FALSE(Position(0).contains("old_line"));
  EXPECT_EQ(Position(1)["new_line"], 3);
  EXPECT_EQ(Position(1)["old_line"], 2);
  for (std::size_t i : {0, 1}) {
    EXPECT_EQ(Position(i)["old_path"], "old.c");
    EXPECT_EQ(Position(i)["new_path"], "a.c");
    EXPECT_EQ(Position(i)["base_sha"], "b");
    EXPECT_EQ(Position(i)["start_sha"], "s");
    EXPECT_EQ(Position(i)["head_sha"], "abc");
    EXPECT_EQ(Position(i)["position_type"], "text");
  }
}

TEST_F(GitLabReviewTest, WaitsForTheDiffOfTheHead) {
  Versions(kReady);
  Versions(R"([{"id":8,"head_commit_sha":"older","base_commit_sha":"b","start_commit_sha":"s"}])",
           1);
  Versions(R"([{"id":9,"head_commit_sha":"abc","base_commit_sha":null}])", 1);
  Versions("[]", 1);
  ASSERT_TRUE(Post({{"f", "a.c", 2, "added"}}).ok());
  EXPECT_EQ(slept_.size(), 3U);
  EXPECT_EQ(server_->Sent("POST", "/discussions").size(), 1U);
}

TEST_F(GitLabReviewTest, WithoutADiffTheRemarksGoIntoTheNote) {
  Versions("[]");
  const auto posted = Post({{"f", "a.c", 2, "the remark"}});
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  EXPECT_LT(slept_.size(), 20U);
  EXPECT_TRUE(server_->Sent("POST", "/discussions").empty());
  EXPECT_NE(server_->Sent("POST", "/notes").at(0).body.find("the remark"), std::string::npos);
}

TEST_F(GitLabReviewTest, ARefusedPositionFallsBackToTheFileAndThenToTheNote) {
  Versions(kReady);
  server_->On("POST", "/discussions", 400,
              R"({"message":"400 Bad request - Note {:line_code=>[must be a valid line code]}"})");
  ASSERT_TRUE(Post({{"f", "a.c", 2, "the remark"}}).ok());
  EXPECT_EQ(Position(0)["position_type"], "text");
  EXPECT_EQ(Position(1)["position_type"], "file");
  EXPECT_NE(server_->Sent("POST", "/notes").at(0).body.find("the remark"), std::string::npos);
}

TEST_F(GitLabReviewTest, WhatCannotBeResolvedSaysSoOnce) {
  server_->On("PUT", "/discussions/d1?resolved", 403, R"({"message":"403 Forbidden"})");
  server_->On("GET", "/discussions/d1", 200, R"({"id":"d1","notes":[{"id":4,"body":"x"}]})");
  server_->On("PUT", "/discussions/d1/notes/4", 200, "{}");
  ASSERT_TRUE(forge_->ResolveThread(repo_, 5, "d1", "No longer reported.").ok());
  const std::string body = json::parse(server_->requests.back().body)["body"];
  EXPECT_NE(body.find("No longer reported."), std::string::npos);
  server_->On("GET", "/discussions/d1", 200,
              json{{"id", "d1"}, {"notes", {{{"id", 4}, {"body", body}}}}}.dump());
  server_->requests.clear();
  ASSERT_TRUE(forge_->ResolveThread(repo_, 5, "d1", "No longer reported.").ok());
  EXPECT_TRUE(server_->Sent("PUT", "/notes/").empty());
  server_->On("PUT", "/discussions/d1?resolved", 404, R"({"message":"404 Discussion Not Found"})");
  EXPECT_EQ(forge_->ResolveThread(repo_, 5, "d1", "x").error().code, ErrorCode::kNotFound);
}

TEST(GitLabNames, TellsTokensFromPeople) {
  for (const char* bot : {"project_12_bot_0a1b", "group_3_bot1", "project_1_bot",
                          "service_account_ab", "x[bot]", "support-bot"}) {
    EXPECT_TRUE(gitlab::IsBotLogin(bot)) << bot;
  }
  for (const char* person :
       {"ann", "project_bot", "project_x_bot_1", "group_", "robot", "", "project_12"}) {
    EXPECT_FALSE(gitlab::IsBotLogin(person)) << person;
  }
}

}  // namespace
}  // namespace swage
