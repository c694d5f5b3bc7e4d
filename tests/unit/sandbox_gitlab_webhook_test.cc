// GitLab's webhooks as the sandbox sends them: headers, both forms of authentication, payloads.
#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "tests/unit/sandbox_gitlab_fixture.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

class SandboxGitLabWebhooks : public GitLabTest {
 protected:
  /// Nobody listens there: what was sent is read from the list of deliveries.
  static constexpr const char* kNowhere = "http://127.0.0.1:1/hook";

  std::vector<Delivery> Sent(std::string_view event) {
    EXPECT_TRUE(forge_->WaitForWebhooks());
    std::vector<Delivery> sent;
    for (Delivery& delivery : forge_->Deliveries()) {
      if (delivery.event == event) sent.push_back(std::move(delivery));
    }
    return sent;
  }
  static json PayloadOf(const Delivery& delivery) { return *ParseJson(delivery.payload); }
};

TEST_F(SandboxGitLabWebhooks, HeadersNameTheEventAndCarryTheToken) {
  forge_->AddWebhook(repo_, kNowhere, "a plain token");
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  const auto sent = Sent("Issue Hook");
  ASSERT_EQ(sent.size(), 1U);
  const auto& headers = sent[0].headers;
  EXPECT_EQ(headers.at("X-Gitlab-Event"), "Issue Hook");
  EXPECT_EQ(headers.at("X-Gitlab-Token"), "a plain token");
  EXPECT_EQ(headers.at("Idempotency-Key"), sent[0].guid);
  EXPECT_EQ(headers.at("X-Gitlab-Event-UUID").size(), 36U);
  EXPECT_FALSE(headers.contains("webhook-signature"));
}

TEST_F(SandboxGitLabWebhooks, SignedFormCoversIdTimeAndBody) {
  const std::string key = "0123456789abcdef0123456789abcdef";
  ASSERT_EQ(Api("POST", "/hooks", admin_,
                {{"url", kNowhere},
                 {"issues_events", true},
                 {"signing_token", "whsec_" + Base64Encode(key)}})
                .status,
            201);
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  const auto sent = Sent("Issue Hook");
  ASSERT_EQ(sent.size(), 1U);
  const auto& headers = sent[0].headers;
  const std::string over =
      headers.at("webhook-id") + "." + headers.at("webhook-timestamp") + "." + sent[0].payload;
  EXPECT_EQ(headers.at("webhook-signature"), "v1," + Base64Encode(HmacSha256(key, over)));
}

TEST_F(SandboxGitLabWebhooks, OnlyWantedEventsAreSent) {
  ASSERT_EQ(Api("POST", "/hooks", admin_,
                {{"url", kNowhere}, {"push_events", false}, {"note_events", true}})
                .status,
            201);
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  forge_->Comment(repo_, "acme", 1, "hello");
  EXPECT_EQ(Sent("Issue Hook").size(), 0U);
  EXPECT_EQ(Sent("Note Hook").size(), 1U);
}

TEST_F(SandboxGitLabWebhooks, OnlyMaintainersSeeAndMakeHooks) {
  EXPECT_EQ(Api("POST", "/hooks", bot_, {{"url", kNowhere}}).status, 403);
  EXPECT_EQ(Api("POST", "/hooks", admin_, {{"url", "file:///etc/passwd"}}).status, 400);
  EXPECT_EQ(Api("GET", "/hooks", bot_).status, 403);
  const HttpAnswer made =
      Api("POST", "/hooks", admin_, {{"url", kNowhere}, {"token", "s3cret-token"}});
  EXPECT_EQ(made.text.find("s3cret-token"), std::string::npos);
}

TEST_F(SandboxGitLabWebhooks, AddedLabelIsADifferenceOfTwoLists) {
  forge_->AddWebhook(repo_, kNowhere, "t");
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  forge_->AddLabel(repo_, "acme", 1, "swage");
  const auto sent = Sent("Issue Hook");
  ASSERT_EQ(sent.size(), 2U);
  const json payload = PayloadOf(sent[1]);
  EXPECT_EQ(payload["object_attributes"]["action"], "update");
  EXPECT_EQ(payload["changes"]["labels"]["previous"], json::array());
  EXPECT_EQ(payload["changes"]["labels"]["current"][0]["title"], "swage");
}

TEST_F(SandboxGitLabWebhooks, IssueOpenedWithLabelsIsOneEvent) {
  forge_->AddWebhook(repo_, kNowhere, "t");
  forge_->CreateIssue(repo_, "acme", "Bug", "", {"swage"});
  const auto sent = Sent("Issue Hook");
  ASSERT_EQ(sent.size(), 1U);
  const json payload = PayloadOf(sent[0]);
  EXPECT_EQ(payload["object_attributes"]["action"], "open");
  EXPECT_EQ(payload["labels"][0]["title"], "swage");
  EXPECT_FALSE(payload["changes"].contains("labels"));
}

TEST_F(SandboxGitLabWebhooks, NoteOnAMergeRequestNamesIt) {
  OpenMergeRequest();
  forge_->AddWebhook(repo_, kNowhere, "t");
  forge_->CommentOnPull(repo_, "acme", 1, "/swage fix it");
  const auto sent = Sent("Note Hook");
  ASSERT_EQ(sent.size(), 1U);
  const json payload = PayloadOf(sent[0]);
  EXPECT_EQ(payload["object_attributes"]["note"], "/swage fix it");
  EXPECT_EQ(payload["object_attributes"]["noteable_type"], "MergeRequest");
  EXPECT_EQ(payload["merge_request"]["source_branch"], "swage/issue-1");
  EXPECT_FALSE(payload.contains("issue"));
}

TEST_F(SandboxGitLabWebhooks, PushTellsWhatChanged) {
  forge_->AddWebhook(repo_, kNowhere, "t");
  const std::string sha = Commit("main", {{"README.md", "# new\n"}, {"src/b.txt", "b\n"}});
  const auto sent = Sent("Push Hook");
  ASSERT_EQ(sent.size(), 1U);
  const json payload = PayloadOf(sent[0]);
  EXPECT_EQ(payload["after"], sha);
  EXPECT_EQ(payload["commits"][0]["modified"], json({"README.md"}));
  EXPECT_EQ(payload["commits"][0]["added"], json({"src/b.txt"}));
}

TEST_F(SandboxGitLabWebhooks, DeliveriesAreListedAndSentAgainUnderTheirKey) {
  const Id hook = forge_->AddWebhook(repo_, kNowhere, "t");
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  const Id log = Sent("Issue Hook").at(0).id;
  const std::string events = "/hooks/" + std::to_string(hook) + "/events";
  EXPECT_EQ(Api("GET", events, admin_).body[0]["trigger"], "issue_hooks");
  EXPECT_EQ(Api("POST", events + "/" + std::to_string(log) + "/resend", admin_).status, 201);
  const auto sent = Sent("Issue Hook");
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].headers.at("Idempotency-Key"), sent[1].headers.at("Idempotency-Key"));
  EXPECT_EQ(Api("POST", events + "/7/resend", admin_).status, 404);
}

}  // namespace
}  // namespace swage::sandbox
