// Threads on merge requests: which positions GitLab takes, and who may resolve.
#include "tests/unit/sandbox_gitlab_fixture.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

class SandboxGitLabThreads : public GitLabTest {
 protected:
  SandboxGitLabThreads() {
    OpenMergeRequest();
    version_ = Api("GET", "/merge_requests/1/versions", bot_).body[0];
  }

  /// Posts a thread at a position; `more` overrides and adds fields.
  HttpAnswer Post(const json& more) {
    json position = {{"position_type", "text"},
                     {"base_sha", version_["base_commit_sha"]},
                     {"start_sha", version_["start_commit_sha"]},
                     {"head_sha", version_["head_commit_sha"]},
                     {"old_path", "src/a.txt"},
                     {"new_path", "src/a.txt"}};
    position.update(more);
    return Api("POST", "/merge_requests/1/discussions", bot_,
               {{"body", "here"}, {"position", position}});
  }

  json version_;
};

TEST_F(SandboxGitLabThreads, AddedLineIsNamedByItsNewNumberAlone) {
  EXPECT_EQ(Post({{"new_line", 10}}).status, 201);
  EXPECT_EQ(Post({{"new_line", 41}}).status, 201);
  EXPECT_EQ(Post({{"new_line", 10}, {"old_line", 10}}).status, 400);
  EXPECT_EQ(Post({{"new_line", "10"}}).status, 201) << "forms send text";
}

TEST_F(SandboxGitLabThreads, RemovedLineIsNamedByItsOldNumberAlone) {
  EXPECT_EQ(Post({{"old_line", 10}}).status, 201);
  EXPECT_EQ(Post({{"old_line", 41}}).status, 400);
}

TEST_F(SandboxGitLabThreads, UnchangedLineIsNamedByBothNumbers) {
  EXPECT_EQ(Post({{"old_line", 9}, {"new_line", 9}}).status, 201);
  EXPECT_EQ(Post({{"new_line", 9}}).status, 400);
  EXPECT_EQ(Post({{"old_line", 9}}).status, 400);
  EXPECT_EQ(Post({{"old_line", 8}, {"new_line", 9}}).status, 400);
}

TEST_F(SandboxGitLabThreads, WhateverIsNotInTheDiffIsRefused) {
  for (const json& bad :
       {json{{"new_line", 25}, {"old_line", 25}}, json{{"new_line", 0}}, json{{"new_line", -10}},
        json{{"new_line", 4'294'967'306}}, json{{"new_line", "ten"}}, json::object(),
        json{{"new_line", 10}, {"new_path", "README.md"}},
        json{{"new_line", 10}, {"old_path", "README.md"}}, json{{"new_line", 10}, {"new_path", ""}},
        json{{"new_line", 10}, {"head_sha", std::string(40, '0')}},
        json{{"new_line", 10}, {"base_sha", version_["head_commit_sha"]}},
        json{{"new_line", 10}, {"position_type", "image"}},
        json{{"new_line", 10}, {"start_sha", ""}}}) {
    EXPECT_EQ(Post(bad).status, 400) << bad;
  }
  EXPECT_TRUE(forge_->GetPull(repo_, 1)->discussions.empty());
}

TEST_F(SandboxGitLabThreads, WholeFileNeedsNoLine) {
  EXPECT_EQ(Post({{"position_type", "file"}}).status, 201);
  EXPECT_EQ(Post({{"position_type", "file"}, {"new_path", "README.md"}, {"old_path", "README.md"}})
                .status,
            400);
}

TEST_F(SandboxGitLabThreads, FlatKeysAreTakenAsFormsSendThem) {
  const HttpAnswer made = Api("POST", "/merge_requests/1/discussions", bot_,
                              {{"body", "here"},
                               {"position[position_type]", "text"},
                               {"position[base_sha]", version_["base_commit_sha"]},
                               {"position[start_sha]", version_["start_commit_sha"]},
                               {"position[head_sha]", version_["head_commit_sha"]},
                               {"position[old_path]", "src/a.txt"},
                               {"position[new_path]", "src/a.txt"},
                               {"position[new_line]", "10"}});
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["notes"][0]["position"]["new_line"], 10);
}

TEST_F(SandboxGitLabThreads, OlderHeadStaysGoodForOldPositions) {
  Commit("swage/issue-1", {{"README.md", "# changed\n"}});
  EXPECT_EQ(Post({{"new_line", 10}}).status, 201);
}

TEST_F(SandboxGitLabThreads, ThreadIsAnsweredResolvedAndOpenedAgain) {
  const std::string at =
      "/merge_requests/1/discussions/" + Post({{"new_line", 10}}).body["id"].get<std::string>();
  EXPECT_EQ(Api("POST", at + "/notes", admin_, {{"body", "on it"}}).status, 201);
  EXPECT_EQ(Api("PUT", at + "?resolved=true", reader_).status, 403);
  EXPECT_EQ(Api("PUT", at, bot_).status, 400);
  const json resolved = Api("PUT", at + "?resolved=true", bot_).body;
  ASSERT_EQ(resolved["notes"].size(), 2U);
  EXPECT_EQ(resolved["notes"][0]["resolved"], true);
  EXPECT_EQ(resolved["notes"][0]["resolved_by"]["username"], "swage-bot");
  EXPECT_EQ(Api("PUT", at, bot_, {{"resolved", false}}).body["notes"][0]["resolved"], false);
  EXPECT_EQ(Api("PUT", "/merge_requests/1/discussions/none?resolved=true", bot_).status, 404);
}

TEST_F(SandboxGitLabThreads, LoneNotesAreListedAsThreadsOfTheirOwn) {
  Api("POST", "/merge_requests/1/notes", admin_, {{"body", "nice"}});
  Post({{"new_line", 10}});
  const json all = Api("GET", "/merge_requests/1/discussions", bot_).body;
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["individual_note"], true);
  EXPECT_EQ(all[1]["individual_note"], false);
  EXPECT_EQ(Api("GET", "/merge_requests/1/notes", bot_).body.size(), 2U);
}

}  // namespace
}  // namespace swage::sandbox
