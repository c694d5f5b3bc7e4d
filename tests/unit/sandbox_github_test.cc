// The GitHub dialect: issues, labels, comments, reactions, paging, permissions, caching.
#include <fmt/format.h>

#include "tests/unit/sandbox_fixture.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

class SandboxGitHub : public SandboxTest {
 protected:
  const std::string api_ = "/repos/acme/widget";
};

TEST_F(SandboxGitHub, TokenDecidesWhoAsks) {
  EXPECT_EQ(Call("GET", "/user", bot_).body["login"], "swage-bot");
  EXPECT_EQ(Call("GET", "/user", bot_).body["type"], "Bot");
  EXPECT_EQ(Call("GET", "/user", "wrong").status, 401);
  EXPECT_EQ(Call("GET", "/user", "wrong").body["message"], "Bad credentials");
  EXPECT_EQ(Call("GET", "/user", "").status, 401);
  EXPECT_EQ(Call("GET", "/api/v3/user", bot_).body["login"], "swage-bot");
}

TEST_F(SandboxGitHub, StrangersHaveNoPermissionAndPrivateMeansInvisible) {
  const std::string permission = api_ + "/collaborators/{}/permission";
  EXPECT_EQ(Call("GET", api_ + "/collaborators/rita/permission", bot_).body["role_name"], "read");
  EXPECT_EQ(Call("GET", api_ + "/collaborators/acme/permission", bot_).body["role_name"], "admin");
  EXPECT_EQ(Call("GET", api_ + "/collaborators/sam/permission", bot_).status, 404);
  EXPECT_EQ(Call("GET", api_ + "/collaborators/nobody/permission", bot_).status, 404);
  EXPECT_EQ(Call("GET", api_, stranger_).status, 200);
  forge_->SetPrivate(repo_, true);
  EXPECT_EQ(Call("GET", api_, stranger_).status, 404);
  EXPECT_EQ(Call("GET", api_ + "/issues", stranger_).status, 404);
  EXPECT_EQ(Call("GET", api_, reader_).status, 200);
}

TEST_F(SandboxGitHub, IssueLivesThroughTheApi) {
  const HttpAnswer made = Call("POST", api_ + "/issues", admin_,
                               {{"title", "Bug"}, {"body", "B"}, {"labels", {"swage"}}});
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(made.body["number"], 1);
  EXPECT_EQ(made.body["labels"][0]["name"], "swage");
  EXPECT_EQ(Call("PATCH", api_ + "/issues/1", admin_, {{"state", "closed"}}).body["state_reason"],
            "completed");
  EXPECT_EQ(Call("GET", api_ + "/issues", admin_).body.size(), 0U);
  EXPECT_EQ(Call("GET", api_ + "/issues?state=all", admin_).body.size(), 1U);
  EXPECT_EQ(Call("GET", api_ + "/issues/99", admin_).status, 404);
  EXPECT_EQ(Call("POST", api_ + "/issues", admin_, {{"body", "no title"}}).status, 422);
  EXPECT_EQ(Call("POST", api_ + "/issues", "", {{"title", "x"}}).status, 401);
  EXPECT_EQ(Call("POST", api_ + "/issues", admin_, json::array()).status, 422);
}

TEST_F(SandboxGitHub, ReadersLabelNothing) {
  forge_->CreateIssue(repo_, "sam", "Bug", "");
  EXPECT_EQ(Call("POST", api_ + "/issues/1/labels", reader_, {{"labels", {"swage"}}}).status, 403);
  EXPECT_EQ(Call("POST", api_ + "/issues", reader_, {{"title", "x"}, {"labels", {"swage"}}})
                .body["labels"]
                .size(),
            0U);
  EXPECT_EQ(
      Call("POST", api_ + "/issues/1/labels", bot_, {{"labels", {"swage", "SWAGE"}}}).body.size(),
      1U);
  EXPECT_EQ(Call("DELETE", api_ + "/issues/1/labels/swage", bot_).status, 200);
  EXPECT_EQ(Call("DELETE", api_ + "/issues/1/labels/swage", bot_).status, 404);
}

TEST_F(SandboxGitHub, CommentsAreBounded) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  const std::string comments = api_ + "/issues/1/comments";
  EXPECT_EQ(Call("POST", comments, bot_, {{"body", std::string(65'536, 'x')}}).status, 201);
  EXPECT_EQ(Call("POST", comments, bot_, {{"body", std::string(65'537, 'x')}}).status, 422);
  EXPECT_EQ(Call("POST", comments, bot_, {{"body", "  "}}).status, 422);
  const HttpAnswer made = Call("POST", comments, bot_, {{"body", "one"}});
  const std::string one = fmt::format("{}/issues/comments/{}", api_, made.body["id"].get<Id>());
  EXPECT_EQ(Call("PATCH", one, bot_, {{"body", "two"}}).body["body"], "two");
  EXPECT_EQ(Call("PATCH", one, reader_, {{"body", "three"}}).status, 403);
  EXPECT_EQ(forge_->GetIssue(repo_, 1)->notes.back().body, "two");
}

TEST_F(SandboxGitHub, ReactingTwiceIsOnce) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  const std::string reactions = api_ + "/issues/1/reactions";
  EXPECT_EQ(Call("POST", reactions, bot_, {{"content", "eyes"}}).status, 201);
  EXPECT_EQ(Call("POST", reactions, bot_, {{"content", "eyes"}}).status, 200);
  EXPECT_EQ(Call("POST", reactions, bot_, {{"content", "nonsense"}}).status, 422);
  EXPECT_EQ(Call("GET", reactions, "").body.size(), 1U);
}

TEST_F(SandboxGitHub, ListsComeInPages) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  for (int i = 0; i < 65; ++i) forge_->Comment(repo_, "acme", 1, "comment " + std::to_string(i));
  const std::string comments = api_ + "/issues/1/comments";
  EXPECT_EQ(Call("GET", comments, bot_).body.size(), 30U);
  const HttpAnswer second = Call("GET", comments + "?per_page=30&page=2", bot_);
  EXPECT_EQ(second.body.size(), 30U);
  EXPECT_EQ(second.body[0]["body"], "comment 30");
  const std::string link = second.headers.at("link");
  EXPECT_NE(link.find("page=3>; rel=\"next\""), std::string::npos) << link;
  EXPECT_NE(link.find("page=1>; rel=\"prev\""), std::string::npos) << link;
  const HttpAnswer last = Call("GET", comments + "?per_page=30&page=3", bot_);
  EXPECT_EQ(last.body.size(), 5U);
  EXPECT_EQ(last.headers.at("link").find("rel=\"next\""), std::string::npos);
  EXPECT_EQ(Call("GET", comments + "?page=99", bot_).body.size(), 0U);
  EXPECT_EQ(Call("GET", comments + "?per_page=1000", bot_).body.size(), 65U);
  EXPECT_FALSE(Call("GET", comments + "?per_page=100", bot_).headers.contains("link"));
}

TEST_F(SandboxGitHub, UnchangedReplyIs304) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  const std::string etag = Call("GET", api_ + "/issues/1", bot_).headers.at("etag");
  const HttpAnswer again =
      Call("GET", api_ + "/issues/1", bot_, nullptr, {{"If-None-Match", etag}});
  EXPECT_EQ(again.status, 304);
  EXPECT_TRUE(again.text.empty());
  forge_->Comment(repo_, "acme", 1, "new");
  EXPECT_EQ(Call("GET", api_ + "/issues/1", bot_, nullptr, {{"If-None-Match", etag}}).status, 200);
}

TEST_F(SandboxGitHub, StatusesFoldToTheLatestOfEachContext) {
  const std::string sha = forge_->Branches(repo_).at("main");
  const std::string post = api_ + "/statuses/" + sha;
  const std::string combined = api_ + "/commits/main/status";
  EXPECT_EQ(Call("GET", combined, bot_).body["state"], "pending");
  EXPECT_EQ(Call("POST", post, bot_, {{"state", "failure"}, {"context", "swage/tests"}}).status,
            201);
  EXPECT_EQ(Call("GET", combined, bot_).body["state"], "failure");
  EXPECT_EQ(Call("POST", post, bot_, {{"state", "success"}, {"context", "swage/tests"}}).status,
            201);
  EXPECT_EQ(Call("GET", combined, bot_).body["state"], "success");
  EXPECT_EQ(Call("GET", combined, bot_).body["total_count"], 1);
  EXPECT_EQ(Call("POST", post, bot_, {{"state", "odd"}}).status, 422);
  EXPECT_EQ(Call("POST", post, reader_, {{"state", "success"}}).status, 403);
  EXPECT_EQ(Call("POST", post, bot_, {{"state", "success"}, {"description", std::string(141, 'x')}})
                .status,
            422);
  EXPECT_EQ(
      Call("POST", api_ + "/statuses/" + std::string(40, 'a'), bot_, {{"state", "success"}}).status,
      422);
}

TEST_F(SandboxGitHub, CheckRunsAreForAppsAndNeedAConclusion) {
  const std::string sha = forge_->Branches(repo_).at("main");
  json run = {{"name", "tests"}, {"head_sha", sha}, {"status", "in_progress"}};
  EXPECT_EQ(Call("POST", api_ + "/check-runs", admin_, run).status, 403);
  const HttpAnswer made = Call("POST", api_ + "/check-runs", bot_, run);
  ASSERT_EQ(made.status, 201);
  const std::string one = fmt::format("{}/check-runs/{}", api_, made.body["id"].get<Id>());
  EXPECT_EQ(Call("PATCH", one, bot_, {{"status", "completed"}}).status, 422);
  EXPECT_EQ(Call("PATCH", one, bot_, {{"conclusion", "success"}}).body["status"], "completed");
  const json annotations = json(51, json::object());
  EXPECT_EQ(Call("PATCH", one, bot_, {{"output", {{"annotations", annotations}}}}).status, 422);
}

TEST_F(SandboxGitHub, RefsAndContentsMoveTheRepository) {
  const std::string sha = forge_->Branches(repo_).at("main");
  EXPECT_EQ(
      Call("POST", api_ + "/git/refs", bot_, {{"ref", "refs/heads/a/b"}, {"sha", sha}}).status,
      201);
  EXPECT_EQ(
      Call("POST", api_ + "/git/refs", bot_, {{"ref", "refs/heads/a/b"}, {"sha", sha}}).status,
      422);
  EXPECT_EQ(Call("GET", api_ + "/git/ref/heads%2Fa%2Fb", bot_).body["object"]["sha"], sha);
  const HttpAnswer file = Call("GET", api_ + "/contents/README.md?ref=a/b", bot_);
  ASSERT_EQ(file.status, 200);
  const json change = {
      {"message", "Edit"}, {"content", "bmV3Cg=="}, {"branch", "a/b"}, {"sha", file.body["sha"]}};
  EXPECT_EQ(Call("PUT", api_ + "/contents/README.md", bot_, change).status, 200);
  EXPECT_EQ(Call("PUT", api_ + "/contents/README.md", bot_, change).status, 409);  // sha is old now
  EXPECT_EQ(*forge_->ReadFileAt(repo_, "a/b", "README.md"), "new\n");
  EXPECT_EQ(Call("GET", api_ + "/contents", bot_).body.size(), 2U);
  EXPECT_EQ(Call("GET", api_ + "/contents/nowhere", bot_).status, 404);
  EXPECT_EQ(Call("DELETE", api_ + "/git/refs/heads/a/b", bot_).status, 204);
  EXPECT_EQ(Call("GET", api_ + "/git/ref/heads/a/b", bot_).status, 404);
}

TEST_F(SandboxGitHub, UnknownPathsAndBrokenJsonAnswerLikeGitHub) {
  EXPECT_EQ(Call("GET", "/repos/acme/widget/nothing", bot_).body["message"], "Not Found");
  EXPECT_EQ(Call("GET", "/repos/acme/%zz", bot_).status, 404);
  EXPECT_EQ(Call("GET", "/nothing", bot_).status, 404);
  const std::string deep(200'000, '[');
  EXPECT_EQ(Call("POST", api_ + "/issues", bot_, json(deep)).status,
            422);  // a string, not an object
}

TEST_F(SandboxGitHub, RequestsAreLogged) {
  forge_->ClearRequests();
  Call("POST", api_ + "/issues", bot_, {{"title", "Bug"}});
  const std::vector<LoggedRequest> log = forge_->Requests();
  ASSERT_EQ(log.size(), 1U);
  EXPECT_EQ(log[0].method, "POST");
  EXPECT_EQ(log[0].target, api_ + "/issues");
  EXPECT_EQ(log[0].actor, "swage-bot");
  EXPECT_EQ(log[0].status, 201);
  EXPECT_NE(log[0].body.find("Bug"), std::string::npos);
}

}  // namespace
}  // namespace swage::sandbox
