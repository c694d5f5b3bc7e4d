// Gitea's webhook dialect: which header counts, and what a payload that says little is taken for.
#include "forge/gitea/webhook.h"

#include <gtest/gtest.h>

#include "config/base/crypto.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::string_view kSecret = "s3cr3t";
constexpr std::string_view kBody = R"({"action":"opened"})";
const WallTime kNow{};

std::string Signature(std::string_view body = kBody, std::string_view secret = kSecret) {
  return HexEncode(HmacSha256(secret, body));
}

HeaderMap Headers(const std::string& brand = "x-gitea-") {
  return {{brand + "signature", Signature()},
          {brand + "delivery", "741fa743-23f1-4140-806d-bdddeb4e52bd"},
          {brand + "event", "issues"}};
}

class GiteaWebhook : public testing::Test {
 protected:
  Result<DeliveryInfo> Verify(const HeaderMap& headers, std::string_view secret = kSecret) {
    return dialect_->Verify(headers, kBody, secret, kNow);
  }
  Event Parse(std::string_view event, const std::string& fields) {
    const std::string body =
        R"({"repository":{"id":7,"full_name":"acme/lib"},"sender":{"id":3,"login":"ann"},)" +
        fields + "}";
    auto parsed = dialect_->Parse("gt", event, body);
    EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
    return parsed.ok() ? *parsed : Event(Ignored{"failed"});
  }
  std::string NameOf(std::string_view event, const std::string& fields) {
    return std::string(EventName(Parse(event, fields)));
  }
  std::unique_ptr<WebhookDialect> dialect_ = MakeGiteaDialect();
};

TEST_F(GiteaWebhook, ReadsItsOwnHeadersAndForgejos) {
  for (const std::string brand : {"x-gitea-", "x-forgejo-"}) {
    const auto info = Verify(Headers(brand));
    ASSERT_TRUE(info.ok()) << brand << info.error().message;
    EXPECT_EQ(info->key, "741fa743-23f1-4140-806d-bdddeb4e52bd");
    EXPECT_EQ(info->event, "issues");
  }
}

TEST_F(GiteaWebhook, Threat_T1_NoOtherForgesSignatureCounts) {
  HeaderMap headers = Headers();
  headers.erase("x-gitea-signature");
  headers["x-hub-signature-256"] = "sha256=" + Signature();
  headers["x-gogs-signature"] = Signature();
  EXPECT_EQ(Verify(headers).error().code, ErrorCode::kUnauthenticated);
  headers["x-gitea-signature"] = "sha256=" + Signature();
  EXPECT_EQ(Verify(headers).error().code, ErrorCode::kUnauthenticated);
}

TEST_F(GiteaWebhook, Threat_T1_AWrongSignatureIsNotPassedOverForAGoodOne) {
  for (const std::string& wrong :
       {std::string(), std::string(64, '0'), Signature() + "\n" + Signature(),
        Signature(kBody, "x"), Signature().substr(1)}) {
    HeaderMap headers = Headers("x-forgejo-");
    headers["x-gitea-signature"] = wrong;
    EXPECT_EQ(Verify(headers).error().code, ErrorCode::kUnauthenticated) << wrong;
  }
  EXPECT_EQ(Verify(Headers(), "").error().code, ErrorCode::kUnauthenticated);
}

TEST_F(GiteaWebhook, NeedsAnIdAndAnEvent) {
  for (const char* header : {"x-gitea-delivery", "x-gitea-event"}) {
    HeaderMap headers = Headers();
    headers.erase(header);
    EXPECT_EQ(Verify(headers).error().code, ErrorCode::kInvalid) << header;
  }
}

constexpr const char* kIssue =
    R"("issue":{"id":9,"number":4,"state":"open","title":"T","body":"B","updated_at":"u",)"
    R"("user":{"id":5,"login":"eve"},"labels":[{"name":"swage"},{"name":"docs"}]})";

TEST_F(GiteaWebhook, ALabelEventSaysWhatIsThereNotWhatChanged) {
  for (const char* action : {"label_updated", "label_cleared"}) {
    const Event event = Parse("issues", std::string(R"("action":")") + action + "\"," + kIssue);
    const auto* relabeled = std::get_if<IssueAltered>(&event);
    ASSERT_NE(relabeled, nullptr) << action;
    EXPECT_EQ(relabeled->actor.id, "3");
    EXPECT_EQ(relabeled->issue.author.id, "5");
    EXPECT_EQ(relabeled->issue.labels, (std::vector<std::string>{"swage", "docs"}));
    EXPECT_EQ(relabeled->repo, (RepoRef{"gt", "7", "acme/lib"}));
  }
}

TEST_F(GiteaWebhook, TellsIssuesApart) {
  const std::string issue = kIssue;
  EXPECT_EQ(NameOf("issues", R"("action":"opened",)" + issue), "IssueOpened");
  EXPECT_EQ(NameOf("issues", R"("action":"assigned",)" + issue), "IssueAltered");
  EXPECT_EQ(NameOf("issues", R"("action":"unassigned",)" + issue), "IssueAltered");
  EXPECT_EQ(NameOf("issues", R"("action":"closed",)" + issue), "IssueGone");
  EXPECT_EQ(NameOf("issues", R"("action":"deleted",)" + issue), "IssueGone");
  EXPECT_EQ(NameOf("issues", R"("action":"reopened",)" + issue), "IssueReopened");
  EXPECT_EQ(NameOf("issues", R"("action":"edited",)" + issue), "Ignored");
  EXPECT_EQ(NameOf("issues", R"("action":"label_updated")"), "Ignored");
}

TEST_F(GiteaWebhook, KnowsWhereACommentStands) {
  const std::string comment = R"("action":"created","comment":{"id":11,"body":"/swage run"},)";
  const Event on_issue = Parse("issue_comment", comment + kIssue);
  ASSERT_EQ(EventName(on_issue), "CommentCreated");
  EXPECT_EQ(std::get<CommentCreated>(on_issue).thread.kind, ThreadKind::kIssue);
  EXPECT_TRUE(std::get<CommentCreated>(on_issue).issue.has_value());
  EXPECT_EQ(std::get<CommentCreated>(on_issue).comment.id, "11");
  const Event on_pull = Parse("issue_comment", comment + R"("is_pull":true,)" + kIssue);
  EXPECT_EQ(std::get<CommentCreated>(on_pull).thread.kind, ThreadKind::kPullRequest);
  EXPECT_FALSE(std::get<CommentCreated>(on_pull).issue.has_value());
  EXPECT_EQ(
      NameOf("issue_comment", std::string(R"("action":"edited","comment":{"id":11},)") + kIssue),
      "Ignored");
}

constexpr const char* kPull =
    R"("pull_request":{"number":2,"state":"open","merged":false,)"
    R"("head":{"ref":"swage/1","sha":"abc","repo_id":7},"base":{"repo_id":7}})";

TEST_F(GiteaWebhook, AReviewIsToBeLookedUp) {
  for (const char* event :
       {"pull_request_rejected", "pull_request_approved", "pull_request_comment"}) {
    const Event parsed = Parse(
        event, std::string(R"("action":"reviewed","review":{"type":"t","content":"no"},)") + kPull);
    const auto* review = std::get_if<ReviewSubmitted>(&parsed);
    ASSERT_NE(review, nullptr) << event;
    EXPECT_EQ(review->number, 2);
    EXPECT_EQ(review->text, "no");
    EXPECT_TRUE(review->thread_open);
    EXPECT_TRUE(review->tells_all);
    EXPECT_FALSE(review->asks_for_changes);
  }
  const Event rejected = Parse(
      "pull_request_rejected",
      std::string(
          R"("action":"reviewed","review":{"type":"pull_request_review_rejected","content":"no"},)") +
          kPull);
  EXPECT_TRUE(std::get<ReviewSubmitted>(rejected).asks_for_changes);
}

TEST_F(GiteaWebhook, TellsPullRequestsApart) {
  const std::string pull = kPull;
  const Event pushed = Parse("pull_request", R"("action":"synchronized",)" + pull);
  ASSERT_EQ(EventName(pushed), "PullRequestPushed");
  EXPECT_EQ(std::get<PullRequestPushed>(pushed).head.value, "abc");
  EXPECT_EQ(std::get<PullRequestPushed>(pushed).head_branch, "swage/1");
  EXPECT_EQ(NameOf("pull_request", R"("action":"closed",)" + pull), "PullRequestClosed");
  EXPECT_EQ(NameOf("pull_request", R"("action":"opened",)" + pull), "Ignored");
  EXPECT_EQ(NameOf("pull_request", R"("action":"label_updated",)" + pull), "Ignored");
  EXPECT_EQ(NameOf("push", R"("ref":"refs/heads/main")"), "Ignored");
}

// The server's own actions (-2) and deleted accounts (-1) are nobody.
TEST_F(GiteaWebhook, AccountsWithoutAPersonAreNobody) {
  const auto parsed = dialect_->Parse(
      "gt", "issues",
      R"({"repository":{"id":7,"full_name":"a/b"},"sender":{"id":-2,"login":"gitea-actions"},
          "action":"closed","issue":{"number":4}})");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(EventActor(*parsed)->id, "");
}

TEST_F(GiteaWebhook, SurvivesWhatIsNoPayload) {
  EXPECT_FALSE(dialect_->Parse("gt", "issues", "").ok());
  EXPECT_FALSE(dialect_->Parse("gt", "issues", "[1]").ok());
  EXPECT_FALSE(dialect_->Parse("gt", "issues", std::string(100'000, '[')).ok());
  EXPECT_EQ(NameOf("pull_request", R"("action":"closed","pull_request":7)"), "Ignored");
  EXPECT_EQ(NameOf("issue_comment", R"("action":"created","comment":[],"issue":"x")"), "Ignored");
  EXPECT_EQ(dialect_->PeekRepoPath(R"({"repository":{"full_name":"a/b"}})"), "a/b");
}

}  // namespace
}  // namespace swage
