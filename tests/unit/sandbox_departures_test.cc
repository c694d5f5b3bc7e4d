// Issues that leave: deleted and moved, on both dialects, through the API and in webhooks.
#include <gmock/gmock.h>

#include "config/base/json.h"
#include "tests/unit/sandbox_gitlab_fixture.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

constexpr const char* kNowhere = "http://127.0.0.1:9/hook";
constexpr const char* kTarget = "acme/gadget";

json LastPayload(SandboxForge& forge, const std::string& action) {
  EXPECT_TRUE(forge.WaitForWebhooks());
  json found;
  for (const Delivery& delivery : forge.Deliveries()) {
    if (delivery.action == action) found = *ParseJson(delivery.payload);
  }
  return found;
}

class GitHubDepartures : public SandboxTest {
 protected:
  GitHubDepartures() {
    EXPECT_TRUE(forge_->CreateRepoFromFiles(kTarget, {{"README.md", "# gadget\n"}}).ok());
    forge_->AddWebhook(repo_, kNowhere, "secret");
    forge_->CreateIssue(repo_, "acme", "Bug", "Body", {"swage"});
    forge_->Comment(repo_, "rita", 1, "me too");
  }
  std::string NodeId() { return Call("GET", kIssue, bot_).body["node_id"]; }
  json Ask(const std::string& token, const std::string& mutation, json input) {
    return Call("POST", "/graphql", token,
                {{"query",
                  "mutation($input: X!) { " + mutation + "(input: $input) { __typename } }"},
                 {"variables", {{"input", std::move(input)}}}})
        .body;
  }
  static constexpr const char* kIssue = "/repos/acme/widget/issues/1";
};

TEST_F(GitHubDepartures, ADeletedIssueIsGoneAndItsNumberWithIt) {
  EXPECT_EQ(Ask(bot_, "deleteIssue", {{"issueId", NodeId()}})["errors"][0]["type"], "FORBIDDEN");
  EXPECT_TRUE(Ask(admin_, "deleteIssue", {{"issueId", NodeId()}})["errors"].is_null());
  EXPECT_EQ(Call("GET", kIssue, bot_).status, 410);
  EXPECT_EQ(Call("GET", "/repos/acme/widget/issues?state=all", bot_).body.size(), 0U);
  EXPECT_EQ(forge_->CreateIssue(repo_, "acme", "Next", ""), 2);
  const json payload = LastPayload(*forge_, "deleted");
  EXPECT_EQ(payload["issue"]["number"], 1);
  EXPECT_EQ(payload["issue"]["labels"][0]["name"], "swage");
  EXPECT_EQ(payload["sender"]["login"], "acme");
}

TEST_F(GitHubDepartures, ATransferredIssueLeadsToWhereItWent) {
  const std::string target = Call("GET", "/repos/acme/gadget", admin_).body["node_id"];
  const json input = {{"issueId", NodeId()}, {"repositoryId", target}};
  EXPECT_EQ(Ask(reader_, "transferIssue", input)["errors"][0]["type"], "FORBIDDEN");
  const json moved = Ask(admin_, "transferIssue", input)["data"]["transferIssue"]["issue"];
  EXPECT_EQ(moved["number"], 1);
  const HttpAnswer old = Call("GET", kIssue, bot_);
  EXPECT_EQ(old.status, 301);
  EXPECT_THAT(old.headers.at("location"), testing::EndsWith("/repos/acme/gadget/issues/1"));
  EXPECT_THAT(Call("GET", std::string(kIssue) + "/comments", bot_).headers.at("location"),
              testing::EndsWith("/repos/acme/gadget/issues/1/comments"));
  const Issue there = *forge_->GetIssue(kTarget, 1);
  EXPECT_EQ(there.title, "Bug");
  EXPECT_TRUE(there.open);
  EXPECT_TRUE(there.labels.empty()) << "the label is not known there";
  EXPECT_EQ(there.notes.size(), 1U);
  const json payload = LastPayload(*forge_, "transferred");
  EXPECT_EQ(payload["issue"]["number"], 1);
  EXPECT_EQ(payload["repository"]["full_name"], repo_);
  EXPECT_EQ(payload["changes"]["new_repository"]["full_name"], kTarget);
  EXPECT_EQ(payload["changes"]["new_issue"]["number"], 1);
}

TEST_F(GitHubDepartures, WhatIsNotThereCannotLeave) {
  for (const json& input : {json{{"issueId", "I_424242"}}, json{{"issueId", ""}}, json::object()}) {
    EXPECT_EQ(Ask(admin_, "deleteIssue", input)["errors"][0]["type"], "NOT_FOUND");
    EXPECT_EQ(Ask(admin_, "transferIssue", input)["errors"][0]["type"], "NOT_FOUND");
  }
}

class GitLabDepartures : public GitLabTest {
 protected:
  GitLabDepartures() {
    EXPECT_TRUE(forge_->CreateRepoFromFiles(kTarget, {{"README.md", "# gadget\n"}}).ok());
    forge_->AddWebhook(repo_, kNowhere, "secret");
    forge_->CreateIssue(repo_, "acme", "Bug", "Body", {"swage"});
  }
};

TEST_F(GitLabDepartures, ADeletedIssueIsGoneInSilence) {
  EXPECT_EQ(Api("DELETE", "/issues/1", bot_).status, 403);
  EXPECT_EQ(Api("DELETE", "/issues/1", admin_).status, 204);
  EXPECT_EQ(Api("DELETE", "/issues/1", admin_).status, 404);
  EXPECT_EQ(Api("GET", "/issues/1", bot_).status, 404);
  EXPECT_EQ(forge_->CreateIssue(repo_, "acme", "Next", ""), 2);
  EXPECT_TRUE(LastPayload(*forge_, "delete").is_null());
  EXPECT_TRUE(LastPayload(*forge_, "close").is_null());
}

TEST_F(GitLabDepartures, AMovedIssueIsClosedAndNamesItsSuccessor) {
  const json to = {{"to_project_id", forge_->RepoId(kTarget)}};
  EXPECT_EQ(Api("POST", "/issues/1/move", reader_, to).status, 400);
  EXPECT_EQ(Api("POST", "/issues/1/move", admin_, {{"to_project_id", 424242}}).status, 404);
  EXPECT_EQ(
      Api("POST", "/issues/1/move", admin_, {{"to_project_id", forge_->RepoId(repo_)}}).status,
      400);
  const HttpAnswer moved = Api("POST", "/issues/1/move", admin_, to);
  ASSERT_EQ(moved.status, 201) << moved.text;
  EXPECT_EQ(moved.body["project_id"], forge_->RepoId(kTarget));
  const json old = Api("GET", "/issues/1", bot_).body;
  EXPECT_EQ(old["state"], "closed");
  EXPECT_EQ(old["moved_to_id"], moved.body["id"]);
  EXPECT_EQ(Api("POST", "/issues/1/move", admin_, to).status, 400) << "twice";
  const json hook = LastPayload(*forge_, "close");
  EXPECT_EQ(hook["object_attributes"]["moved_to_id"], moved.body["id"]);
  EXPECT_EQ(hook["object_attributes"]["iid"], 1);
}

}  // namespace
}  // namespace swage::sandbox
