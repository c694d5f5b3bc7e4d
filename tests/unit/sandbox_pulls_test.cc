// Pull requests, reviews and merges of the GitHub dialect.
#include <fmt/format.h>

#include "config/base/text.h"
#include "tests/unit/sandbox_fixture.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

class SandboxPulls : public SandboxTest {
 protected:
  void SetUp() override {
    std::string text = *forge_->ReadFileAt(repo_, "main", "src/a.txt");
    text = ReplaceAll(text, "line 20\n", "line twenty\nline twenty and a half\n");
    sha_ = Commit("fix", {{"src/a.txt", text}});
  }
  json NewPullBody() const { return {{"title", "Fix"}, {"head", "fix"}, {"base", "main"}}; }
  std::string Thread(const json& comment) {
    const std::string query =
        "query($owner:String!){repository(owner:$owner,name:\"widget\"){pullRequest(number:1)"
        "{reviewThreads(first:100){nodes{id isResolved comments(first:1){nodes{databaseId}}}}}}}";
    const HttpAnswer threads =
        Call("POST", "/graphql", bot_, {{"query", query}, {"variables", {{"owner", "acme"}}}});
    for (const json& node :
         threads.body["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"]) {
      if (node["comments"]["nodes"][0]["databaseId"] == comment["id"]) return node["id"];
    }
    return {};
  }

  const std::string api_ = "/repos/acme/widget";
  const std::string pulls_ = api_ + "/pulls";
  std::string sha_;
};

TEST_F(SandboxPulls, OpenOnceThenAdopt) {
  const HttpAnswer made = Call("POST", pulls_, bot_, NewPullBody());
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(made.body["head"]["sha"], sha_);
  EXPECT_EQ(made.body["changed_files"], 1);
  EXPECT_EQ(made.body["additions"], 2);
  EXPECT_EQ(made.body["deletions"], 1);
  EXPECT_EQ(made.body["mergeable"], true);
  const HttpAnswer again = Call("POST", pulls_, bot_, NewPullBody());
  EXPECT_EQ(again.status, 422);
  EXPECT_EQ(again.body["errors"][0]["message"], "A pull request already exists for acme:fix.");
  EXPECT_EQ(Call("GET", pulls_ + "?head=acme:fix", bot_).body.size(), 1U);
  EXPECT_EQ(Call("GET", pulls_ + "?head=acme:other", bot_).body.size(), 0U);
  EXPECT_EQ(Call("GET", pulls_ + "?head=other", bot_).body.size(), 1U);  // ignored in silence
}

TEST_F(SandboxPulls, RefusesWhatGitHubRefuses) {
  const auto status = [&](const std::string& key, const std::string& value) {
    json body = NewPullBody();
    body[key] = value;
    return Call("POST", pulls_, bot_, body).status;
  };
  EXPECT_EQ(status("head", "missing"), 422);
  EXPECT_EQ(status("head", "stranger:fix"), 422);
  EXPECT_EQ(status("base", "missing"), 422);
  EXPECT_EQ(status("body", std::string(70'000, 'x')), 422);
  json same = NewPullBody();
  same["head"] = "main";
  EXPECT_EQ(Call("POST", pulls_, bot_, same).body["errors"][0]["message"],
            "No commits between main and main");
  EXPECT_EQ(Call("POST", pulls_, reader_, NewPullBody()).status, 403);
  EXPECT_TRUE(forge_->Pulls(repo_).empty());
}

TEST_F(SandboxPulls, SharesItsNumbersWithIssues) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  EXPECT_EQ(OpenPull("fix"), 2);
  EXPECT_EQ(Call("GET", api_ + "/issues/2", bot_).body["pull_request"]["url"],
            forge_->Url() + pulls_ + "/2");
  EXPECT_EQ(Call("GET", pulls_ + "/1", bot_).status, 404);
}

TEST_F(SandboxPulls, LineOutsideTheDiffFailsTheWholeReview) {
  OpenPull("fix");
  json review = {{"event", "COMMENT"},
                 {"body", "Gates"},
                 {"commit_id", sha_},
                 {"comments",
                  {{{"path", "src/a.txt"}, {"line", 21}, {"side", "RIGHT"}, {"body", "here"}},
                   {{"path", "src/a.txt"}, {"line", 3}, {"side", "RIGHT"}, {"body", "too far"}}}}};
  const HttpAnswer refused = Call("POST", pulls_ + "/1/reviews", bot_, review);
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.body["errors"][0], "Line could not be resolved");
  EXPECT_TRUE(forge_->GetPull(repo_, 1)->reviews.empty());
  EXPECT_TRUE(forge_->GetPull(repo_, 1)->discussions.empty());

  review["comments"].erase(1);
  ASSERT_EQ(Call("POST", pulls_ + "/1/reviews", bot_, review).status, 200);
  const HttpAnswer comments = Call("GET", pulls_ + "/1/comments", bot_);
  ASSERT_EQ(comments.body.size(), 1U);
  EXPECT_EQ(comments.body[0]["line"], 21);
  EXPECT_EQ(comments.body[0]["subject_type"], "line");
  EXPECT_TRUE(
      comments.body[0]["diff_hunk"].get<std::string>().ends_with("+line twenty and a half"));

  review["comments"][0]["path"] = "README.md";  // a file, but not in the diff
  EXPECT_EQ(Call("POST", pulls_ + "/1/reviews", bot_, review).body["errors"][0],
            "Path could not be resolved");
}

TEST_F(SandboxPulls, ContextLinesCountAsPartOfTheDiff) {
  OpenPull("fix");
  const auto at = [&](int line, const std::string& side) {
    return Call("POST", pulls_ + "/1/comments", bot_,
                {{"path", "src/a.txt"},
                 {"line", line},
                 {"side", side},
                 {"body", "x"},
                 {"commit_id", sha_}})
        .status;
  };
  EXPECT_EQ(at(17, "RIGHT"), 201);  // three lines of context above the change at 20
  EXPECT_EQ(at(24, "RIGHT"), 201);
  EXPECT_EQ(at(20, "LEFT"), 201);  // the removed line
  EXPECT_EQ(at(16, "RIGHT"), 422);
  EXPECT_EQ(at(25, "RIGHT"), 422);
  EXPECT_EQ(at(0, "RIGHT"), 422);
  EXPECT_EQ(at(-1, "RIGHT"), 422);
}

TEST_F(SandboxPulls, FileCommentNeedsNoLine) {
  OpenPull("fix");
  const HttpAnswer made = Call("POST", pulls_ + "/1/comments", bot_,
                               {{"path", "src/a.txt"},
                                {"subject_type", "file"},
                                {"body", "the whole file"},
                                {"commit_id", sha_}});
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(made.body["subject_type"], "file");
  const HttpAnswer reply = Call("POST", pulls_ + "/1/comments", bot_,
                                {{"in_reply_to", made.body["id"]}, {"body", "and an answer"}});
  ASSERT_EQ(reply.status, 201);
  EXPECT_EQ(reply.body["in_reply_to_id"], made.body["id"]);
}

TEST_F(SandboxPulls, AuthorCannotApproveHimself) {
  OpenPull("fix");
  const std::string reviews = pulls_ + "/1/reviews";
  EXPECT_EQ(Call("POST", reviews, bot_, {{"event", "APPROVE"}}).status, 422);
  EXPECT_EQ(Call("POST", reviews, bot_, {{"event", "REQUEST_CHANGES"}, {"body", "x"}}).status, 422);
  EXPECT_EQ(Call("POST", reviews, bot_, {{"event", "COMMENT"}, {"body", ""}}).status, 422);
  EXPECT_EQ(Call("POST", reviews, bot_, {{"event", "COMMENT"}, {"body", "fine"}}).status, 200);
  EXPECT_EQ(Call("POST", reviews, admin_, {{"event", "APPROVE"}}).body["state"], "APPROVED");
}

TEST_F(SandboxPulls, CommentsOnAChangedFileAreOutdated) {
  OpenPull("fix");
  const HttpAnswer made =
      Call("POST", pulls_ + "/1/comments", bot_,
           {{"path", "src/a.txt"}, {"line", 21}, {"body", "x"}, {"commit_id", sha_}});
  ASSERT_EQ(made.status, 201);
  Commit("fix", {{"other.txt", "x\n"}});
  const std::string one = fmt::format("{}/comments/{}", pulls_, made.body["id"].get<Id>());
  EXPECT_EQ(Call("GET", one, bot_).body["line"], 21);
  Commit("fix", {{"src/a.txt", "all new\n"}});
  const HttpAnswer outdated = Call("GET", one, bot_);
  EXPECT_TRUE(outdated.body["line"].is_null());
  EXPECT_TRUE(outdated.body["position"].is_null());
  EXPECT_EQ(outdated.body["original_line"], 21);
}

TEST_F(SandboxPulls, ThreadsResolveByGraphQl) {
  OpenPull("fix");
  const HttpAnswer made =
      Call("POST", pulls_ + "/1/comments", bot_,
           {{"path", "src/a.txt"}, {"line", 21}, {"body", "x"}, {"commit_id", sha_}});
  const std::string thread = Thread(made.body);
  ASSERT_FALSE(thread.empty());
  const json resolve = {
      {"query", "mutation($id:ID!){resolveReviewThread(input:{threadId:$id}){thread{isResolved}}}"},
      {"variables", {{"id", thread}}}};
  EXPECT_EQ(Call("POST", "/graphql", reader_, resolve).body["errors"][0]["type"], "FORBIDDEN");
  const HttpAnswer resolved = Call("POST", "/graphql", bot_, resolve);
  EXPECT_EQ(resolved.body["data"]["resolveReviewThread"]["thread"]["isResolved"], true);
  EXPECT_TRUE(forge_->GetPull(repo_, 1)->discussions[0].resolved);
  json wrong = resolve;
  wrong["variables"]["id"] = "PRRT_unknown";
  EXPECT_EQ(Call("POST", "/graphql", bot_, wrong).body["errors"][0]["type"], "NOT_FOUND");
}

TEST_F(SandboxPulls, DraftChangesOnlyByGraphQl) {
  json body = NewPullBody();
  body["draft"] = true;
  const HttpAnswer made = Call("POST", pulls_, bot_, body);
  EXPECT_EQ(made.body["draft"], true);
  EXPECT_EQ(Call("PATCH", pulls_ + "/1", bot_, {{"draft", false}}).body["draft"], true);
  const json ready = {{"query",
                       "mutation($id:ID!){markPullRequestReadyForReview(input:{pullRequestId:$id}){"
                       "clientMutationId}}"},
                      {"variables", {{"id", made.body["node_id"]}}}};
  EXPECT_EQ(Call("PUT", pulls_ + "/1/merge", bot_, json::object()).status, 405);
  EXPECT_EQ(Call("POST", "/graphql", bot_, ready).status, 200);
  EXPECT_FALSE(forge_->GetPull(repo_, 1)->draft);
}

TEST_F(SandboxPulls, MergeMakesAMergeCommitAndClosesTheIssue) {
  const std::int64_t issue = forge_->CreateIssue(repo_, "acme", "Bug", "");
  json body = NewPullBody();
  body["body"] = fmt::format("Fixes #{}", issue);
  const std::string merge = pulls_ + "/2/merge";
  ASSERT_EQ(Call("POST", pulls_, bot_, body).body["number"], 2);
  EXPECT_EQ(Call("PUT", merge, reader_, json::object()).status, 403);
  EXPECT_EQ(Call("PUT", merge, bot_, {{"sha", std::string(40, 'a')}}).status, 409);
  const HttpAnswer merged = Call("PUT", merge, bot_, {{"sha", sha_}});
  ASSERT_EQ(merged.status, 200);
  EXPECT_EQ(forge_->Branches(repo_).at("main"), merged.body["sha"]);
  EXPECT_EQ(Call("GET", merge, bot_).status, 204);
  EXPECT_EQ(Call("GET", pulls_ + "/2", bot_).body["merged"], true);
  EXPECT_EQ(Call("GET", pulls_ + "/2/files", bot_).body.size(), 1U);  // still the pull's own diff
  EXPECT_FALSE(forge_->GetIssue(repo_, issue)->open);
  EXPECT_EQ(Call("PUT", merge, bot_, json::object()).status, 405);
  EXPECT_EQ(Call("PATCH", pulls_ + "/2", bot_, {{"state", "open"}}).status, 422);
}

TEST_F(SandboxPulls, ConflictIsNotMergeable) {
  OpenPull("fix");
  Commit("main", {{"src/a.txt", "something else\n"}});
  const HttpAnswer pull = Call("GET", pulls_ + "/1", bot_);
  EXPECT_EQ(pull.body["mergeable"], false);
  EXPECT_EQ(pull.body["mergeable_state"], "dirty");
  EXPECT_EQ(Call("PUT", pulls_ + "/1/merge", bot_, json::object()).status, 405);
}

TEST_F(SandboxPulls, DiffIsTakenFromTheMergeBase) {
  OpenPull("fix");
  Commit("main", {{"unrelated.txt", "x\n"}});
  const HttpAnswer files = Call("GET", pulls_ + "/1/files", bot_);
  ASSERT_EQ(files.body.size(), 1U);
  EXPECT_EQ(files.body[0]["filename"], "src/a.txt");
  EXPECT_TRUE(files.body[0]["patch"].get<std::string>().starts_with("@@ -17,7 +17,8 @@"));
  EXPECT_EQ(Call("GET", pulls_ + "/1/commits", bot_).body.size(), 1U);
}

}  // namespace
}  // namespace swage::sandbox
