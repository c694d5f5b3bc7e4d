// The GitLab dialect: users, projects, issues, notes, merge requests, statuses. tests/contract
// drives the same with a real client; here are the refusals and the odd inputs.
#include "tests/harness/raw_http.h"
#include "tests/unit/sandbox_gitlab_fixture.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

class SandboxGitLab : public GitLabTest {};

TEST_F(SandboxGitLab, TokenMayComeInEachOfGitLabsWays) {
  EXPECT_EQ(Call("GET", "/api/v4/user", "", nullptr, {{"PRIVATE-TOKEN", bot_}}).body["username"],
            "swage-bot");
  EXPECT_EQ(
      Call("GET", "/api/v4/user", "", nullptr, {{"Authorization", "Bearer " + bot_}}).body["bot"],
      true);
  EXPECT_EQ(Call("GET", "/api/v4/user", "").status, 401);
  EXPECT_EQ(Call("GET", "/api/v4/user", "", nullptr, {{"PRIVATE-TOKEN", "wrong"}}).status, 401);
}

TEST_F(SandboxGitLab, ProjectIsFoundByEncodedPathAndById) {
  const json by_path = Api("GET", "", bot_).body;
  EXPECT_EQ(by_path["path_with_namespace"], repo_);
  const std::string id = std::to_string(by_path["id"].get<Id>());
  EXPECT_EQ(Call("GET", "/api/v4/projects/" + id, "").body["path_with_namespace"], repo_);
  EXPECT_EQ(Call("GET", "/api/v4/projects/acme%2Fother", "").status, 404);
  EXPECT_EQ(Call("GET", "/api/v4/projects/99999999999999999999", "").status, 404);
}

TEST_F(SandboxGitLab, PrivateProjectDoesNotExistForStrangers) {
  forge_->SetPrivate(repo_, true);
  EXPECT_EQ(Api("GET", "", stranger_).status, 404);
  EXPECT_EQ(Api("GET", "/issues", stranger_).status, 404);
  EXPECT_EQ(Api("GET", "", reader_).status, 200);
}

TEST_F(SandboxGitLab, MembersAreThoseWhoWereAddedNotEveryReader) {
  const auto level = [&](const char* login) {
    Id id = 0;
    forge_->With([&](World& world) { id = world.FindUser(login)->id; });
    const HttpAnswer got = Api("GET", "/members/all/" + std::to_string(id), bot_);
    return got.status == 200 ? got.body["access_level"].get<int>() : -got.status;
  };
  EXPECT_EQ(level("acme"), 50);
  EXPECT_EQ(level("swage-bot"), 30);
  EXPECT_EQ(level("rita"), 10);
  EXPECT_EQ(level("sam"), -404);
}

TEST_F(SandboxGitLab, LabelsAreAddedAndRemovedByReportersOnly) {
  forge_->CreateIssue(repo_, "rita", "Bug", "");
  EXPECT_EQ(Api("PUT", "/issues/1", bot_, {{"add_labels", "swage,bug"}}).body["labels"],
            json({"swage", "bug"}));
  EXPECT_EQ(Api("PUT", "/issues/1", bot_, {{"remove_labels", {"bug"}}}).body["labels"],
            json({"swage"}));
  // The author may edit the words, but a guest's labels are dropped in silence.
  const HttpAnswer by_author =
      Api("PUT", "/issues/1", reader_, {{"add_labels", "mine"}, {"title", "Bug 2"}});
  EXPECT_EQ(by_author.status, 200);
  EXPECT_EQ(by_author.body["labels"], json({"swage"}));
  EXPECT_EQ(by_author.body["title"], "Bug 2");
  EXPECT_EQ(Api("PUT", "/issues/1", stranger_, {{"title", "x"}}).status, 403);
  EXPECT_EQ(Api("PUT", "/issues/1", bot_, {{"labels", ""}}).body["labels"].size(), 0U);
}

TEST_F(SandboxGitLab, ListsComeInPagesWithCounts) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  for (int i = 0; i < 5; ++i) forge_->Comment(repo_, "acme", 1, "note " + std::to_string(i));
  const HttpAnswer page = Api("GET", "/issues/1/notes?sort=asc&per_page=2&page=2", bot_);
  ASSERT_EQ(page.body.size(), 2U);
  EXPECT_EQ(page.body[0]["body"], "note 2");
  EXPECT_EQ(page.headers.at("x-total"), "5");
  EXPECT_EQ(page.headers.at("x-next-page"), "3");
  EXPECT_NE(page.headers.at("link").find("sort=asc&page=3&per_page=2>; rel=\"next\""),
            std::string::npos);
  EXPECT_EQ(Api("GET", "/issues/1/notes?per_page=2&page=3", bot_).headers["x-next-page"], "");
  EXPECT_EQ(Api("GET", "/issues/1/notes?per_page=0&page=-7", bot_).body.size(), 1U);
  EXPECT_EQ(Api("GET", "/issues/1/notes?page=999999999", bot_).body.size(), 0U);
}

TEST_F(SandboxGitLab, EmojiTwiceIsTheOdd404) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  EXPECT_EQ(Api("POST", "/issues/1/award_emoji", bot_, {{"name", "eyes"}}).status, 201);
  const HttpAnswer again = Api("POST", "/issues/1/award_emoji", bot_, {{"name", "eyes"}});
  EXPECT_EQ(again.status, 404);
  EXPECT_NE(again.text.find("has already been taken"), std::string::npos);
  EXPECT_EQ(forge_->GetIssue(repo_, 1)->awards.size(), 1U);
}

TEST_F(SandboxGitLab, NotesAreBoundedAndOnlyTheirAuthorsEditThem) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  EXPECT_EQ(Api("POST", "/issues/1/notes", bot_, {{"body", std::string(1'000'001, 'x')}}).status,
            400);
  EXPECT_EQ(Api("POST", "/issues/1/notes", bot_, {{"body", " \n "}}).status, 400);
  const HttpAnswer made = Api("POST", "/issues/1/notes", bot_, {{"body", "one"}});
  const std::string note = "/issues/1/notes/" + std::to_string(made.body["id"].get<Id>());
  EXPECT_EQ(Api("PUT", note, reader_, {{"body", "two"}}).status, 403);
  EXPECT_EQ(Api("PUT", note, bot_, {{"body", "two"}}).body["body"], "two");
  EXPECT_EQ(Api("PUT", "/issues/1/notes/7", bot_, {{"body", "two"}}).status, 404);
  EXPECT_EQ(Api("DELETE", note, bot_).status, 204);
}

TEST_F(SandboxGitLab, OneOpenMergeRequestPerSourceBranch) {
  const std::int64_t iid = OpenMergeRequest();
  const HttpAnswer again =
      Api("POST", "/merge_requests", bot_,
          {{"source_branch", "swage/issue-1"}, {"target_branch", "main"}, {"title", "x"}});
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(
      again.body["message"][0],
      "Another open merge request already exists for this source branch: !" + std::to_string(iid));
  const json found =
      Api("GET", "/merge_requests?source_branch=swage%2Fissue-1&state=opened", bot_).body;
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]["iid"], iid);
  Api("PUT", "/merge_requests/1", admin_, {{"state_event", "close"}});
  EXPECT_EQ(
      Api("GET", "/merge_requests?source_branch=swage%2Fissue-1&state=opened", bot_).body.size(),
      0U);
}

TEST_F(SandboxGitLab, IssuesAndMergeRequestsCountApart) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  EXPECT_EQ(OpenMergeRequest(), 1);
  EXPECT_EQ(Api("GET", "/issues/1", bot_).body["title"], "Bug");
  EXPECT_EQ(Api("GET", "/merge_requests/1", bot_).body["title"], "Count to ten");
}

TEST_F(SandboxGitLab, DiffRefsAreNullUntilAskedAgain) {
  OpenMergeRequest();
  EXPECT_TRUE(Api("GET", "/merge_requests/1", bot_).body["diff_refs"].is_null());
  const json refs = Api("GET", "/merge_requests/1", bot_).body["diff_refs"];
  const json version = Api("GET", "/merge_requests/1/versions", bot_).body[0];
  EXPECT_EQ(refs["head_sha"], version["head_commit_sha"]);
  EXPECT_EQ(refs["base_sha"], version["base_commit_sha"]);
  EXPECT_EQ(refs["start_sha"], version["start_commit_sha"]);
}

TEST_F(SandboxGitLab, DraftIsAPrefixOfTheTitle) {
  OpenMergeRequest();
  EXPECT_EQ(Api("PUT", "/merge_requests/1", bot_, {{"title", "draft: [Draft] x"}}).body["title"],
            "Draft: x");
  EXPECT_TRUE(forge_->GetPull(repo_, 1)->draft);
  EXPECT_EQ(Api("PUT", "/merge_requests/1/merge", admin_).status, 405);
  EXPECT_EQ(Api("PUT", "/merge_requests/1", bot_, {{"title", "x"}}).body["draft"], false);
}

TEST_F(SandboxGitLab, MergeChecksShaRightsAndState) {
  OpenMergeRequest();
  EXPECT_EQ(Api("PUT", "/merge_requests/1/merge", reader_).status, 401);
  EXPECT_EQ(Api("PUT", "/merge_requests/1/merge", admin_, {{"sha", std::string(40, '0')}}).status,
            409);
  const std::string head = forge_->GetPull(repo_, 1)->head_sha;
  EXPECT_EQ(Api("PUT", "/merge_requests/1/merge", admin_, {{"sha", head}}).body["state"], "merged");
  EXPECT_EQ(Api("PUT", "/merge_requests/1/merge", admin_).status, 405);
  EXPECT_EQ(*forge_->ReadFileAt(repo_, "main", "src/a.txt"),
            *forge_->ReadFileAt(repo_, head, "src/a.txt"));
}

TEST_F(SandboxGitLab, NobodyApprovesTheirOwnWorkOrTwice) {
  OpenMergeRequest();
  EXPECT_EQ(Api("POST", "/merge_requests/1/approve", bot_).status, 401);
  EXPECT_EQ(Api("POST", "/merge_requests/1/approve", admin_).status, 201);
  EXPECT_EQ(Api("POST", "/merge_requests/1/approve", admin_).status, 401);
}

TEST_F(SandboxGitLab, RunningStatusMovesForwardOnly) {
  const std::string at = "/statuses/" + forge_->Branches(repo_).at("main");
  const auto post = [&](const char* state) {
    return Api("POST", at, bot_, {{"state", state}, {"name", "swage/tests"}});
  };
  EXPECT_EQ(post("pending").status, 201);
  EXPECT_EQ(post("running").status, 201);
  const HttpAnswer same = post("running");
  EXPECT_EQ(same.status, 400);
  EXPECT_EQ(same.body["message"],
            "Cannot transition status via :run from :running (Reason(s): Status cannot transition "
            "via \"run\")");
  EXPECT_EQ(post("pending").status, 400);
  EXPECT_EQ(post("failed").status, 201);
  EXPECT_EQ(post("pending").status, 201) << "after an end, another run begins";
  EXPECT_EQ(
      Api("POST", at, bot_, {{"state", "success"}, {"description", std::string(256, 'x')}}).status,
      400);
  EXPECT_EQ(Api("POST", "/statuses/" + std::string(40, 'a'), bot_, {{"state", "success"}}).status,
            404);
  EXPECT_EQ(Api("POST", at, reader_, {{"state", "success"}}).status, 403);
}

TEST_F(SandboxGitLab, OddBodiesAreRefusedNotServed) {
  OpenMergeRequest();
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  const std::vector<json> odd = {json::array(),         json(7),
                                 json("text"),          json::object(),
                                 {{"body", nullptr}},   {{"body", json::array({1})}},
                                 {{"body", {{"a", 1}}}}};
  for (const json& body : odd) {
    EXPECT_EQ(Api("POST", "/issues/1/notes", bot_, body).status, 400) << body;
    EXPECT_EQ(Api("POST", "/merge_requests/1/discussions", bot_, body).status, 400) << body;
    EXPECT_EQ(Api("POST", "/issues", bot_, body).status, 400) << body;
    EXPECT_EQ(Api("POST", "/repository/commits", bot_, body).status, 400) << body;
  }
  const json commit = {{"branch", "x"}, {"commit_message", "m"}, {"start_branch", "main"}};
  for (const json& action : {json(1), json({{"action", "create"}, {"file_path", "../x"}}),
                             json({{"action", 1}}), json({{"action", "move"}, {"file_path", "y"}}),
                             json({{"action", "create"},
                                   {"file_path", "y"},
                                   {"encoding", "base64"},
                                   {"content", "%"}})}) {
    json body = commit;
    body["actions"] = json::array({action});
    const int status = Api("POST", "/repository/commits", bot_, body).status;
    EXPECT_TRUE(status >= 400 && status < 500) << action << " -> " << status;
  }
  EXPECT_EQ(Api("GET", "/issues/-1", bot_).status, 404);
  EXPECT_EQ(Api("GET", "/issues/18446744073709551616", bot_).status, 404);
  EXPECT_EQ(Api("GET", "/no/such/thing", bot_).status, 404);
}

TEST_F(SandboxGitLab, UnchangedRepliesAreNotSentAgain) {
  const HttpAnswer first = Api("GET", "/issues", bot_);
  const HttpAnswer again =
      Call("GET", "/api/v4/projects/acme%2Fwidget/issues", "", nullptr,
           {{"PRIVATE-TOKEN", bot_}, {"If-None-Match", first.headers.at("etag")}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.text, "");
}

// RFC 2046 leaves the line end after the last boundary to the sender; Node 18 leaves it out.
TEST_F(SandboxGitLab, MultipartFormsMayEndWithTheirLastBoundary) {
  const std::string part =
      "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nBy a form\r\n";
  for (const std::string end : {"--b--\r\n", "--b--"}) {
    const std::string answer = Exchange(
        forge_->Port(),
        PostRequest(
            "/api/v4/projects/acme%2Fwidget/issues",
            "Content-Type: multipart/form-data; boundary=b\r\nPRIVATE-TOKEN: " + bot_ + "\r\n",
            part + end));
    EXPECT_EQ(StatusOf(answer), 201) << answer;
  }
  EXPECT_EQ(forge_->Issues(repo_).back().title, "By a form");
}

}  // namespace
}  // namespace swage::sandbox
