#include "forge/gitea/webhook.h"

#include <nlohmann/json.hpp>

#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/gitea/api.h"
#include "forge/json_peek.h"
#include "forge/webhook_headers.h"

namespace swage {
namespace {

using gitea::ReadComment;
using gitea::ReadIssue;
using gitea::ReadUser;
using nlohmann::json;

// What every event needs: who, where, and what happened.
struct Envelope {
  const json& body;
  RepoRef repo;
  Actor actor;
  std::string action;
};

Event Ignore(std::string_view event, std::string_view why) {
  return Ignored{std::string(event) + " " + std::string(why)};
}

Event ParseIssues(const Envelope& e) {
  Issue issue = ReadIssue(JsonAt(e.body, "issue"));
  if (issue.number <= 0) return Ignore("issues", "without an issue");
  // Which label or account it was, and whether it came or went, nobody says.
  const bool label = e.action == "label_updated" || e.action == "label_cleared";
  if (label || e.action == "assigned" || e.action == "unassigned") {
    return IssueAltered{e.repo, e.actor, std::move(issue)};
  }
  if (e.action == "opened") return IssueOpened{e.repo, e.actor, std::move(issue), true};
  if (e.action == "closed") return IssueGone{e.repo, e.actor, issue, GoneReason::kClosed};
  if (e.action == "deleted") return IssueGone{e.repo, e.actor, issue, GoneReason::kDeleted};
  if (e.action == "reopened") return IssueReopened{e.repo, e.actor, issue};
  return Ignore("issues", e.action);
}

Event ParseComment(const Envelope& e) {
  const json& comment = JsonAt(e.body, "comment");
  const std::string id = JsonId(comment, "id");
  const Issue issue = ReadIssue(JsonAt(e.body, "issue"));
  if (e.action != "created" || id.empty() || issue.number <= 0) {
    return Ignore("issue_comment", e.action);
  }
  const bool on_pull =
      JsonBool(e.body, "is_pull") || JsonAt(e.body, "issue/pull_request").is_object();
  const Thread thread{on_pull ? ThreadKind::kPullRequest : ThreadKind::kIssue, issue.number};
  CommentCreated event{e.repo, e.actor, thread, ReadComment(comment, id), issue.open, {}};
  if (!on_pull) event.issue = issue;
  return event;
}

// {"type": ..., "content": ...} and nothing else: not even an id.
Event ParseReview(const Envelope& e) {
  const json& pull = JsonAt(e.body, "pull_request");
  const std::int64_t number = JsonInt(pull, "number");
  if (number <= 0) return Ignore("review", "without a pull request");
  ReviewSubmitted review{e.repo, e.actor, number, JsonString(e.body, "review/content"),
                         JsonString(pull, "state", "open") == "open"};
  review.asks_for_changes = JsonString(e.body, "review/type") == "pull_request_review_rejected";
  review.tells_all = true;
  return review;
}

Event ParsePullRequest(const Envelope& e) {
  const json& pull = JsonAt(e.body, "pull_request");
  const std::int64_t number = JsonInt(pull, "number");
  if (number <= 0) return Ignore("pull_request", "without a number");
  const std::string branch = JsonString(pull, "head/ref");
  // Comes once more beside "opened"; who opened it pushed it.
  if (e.action == "synchronized") {
    return PullRequestPushed{e.repo, e.actor, number, branch, {JsonString(pull, "head/sha")}};
  }
  if (e.action != "closed") return Ignore("pull_request", e.action);
  return PullRequestClosed{e.repo, e.actor, number, branch, JsonBool(pull, "merged")};
}

// "pull_request_approved", "pull_request_rejected" and "pull_request_comment" are reviews.
Event ParseKnown(std::string_view event, const Envelope& e) {
  if (event == "issues") return ParseIssues(e);
  if (event == "issue_comment") return ParseComment(e);
  if (e.action == "reviewed" && event.starts_with("pull_request_")) return ParseReview(e);
  if (event == "pull_request") return ParsePullRequest(e);
  return Ignore(event, "event");
}

/// The header "x-gitea-NAME", else "x-forgejo-NAME".
std::optional<std::string> OwnHeader(const HeaderMap& headers, std::string_view name) {
  for (const std::string_view brand : {"x-gitea-", "x-forgejo-"}) {
    const std::string full = std::string(brand) + std::string(name);
    // One that is there in an unusable form is not passed over for another.
    if (headers.contains(full)) return SingleHeader(headers, full);
  }
  return std::nullopt;
}

class GiteaDialect final : public WebhookDialect {
 public:
  Result<DeliveryInfo> Verify(const HeaderMap& headers, std::string_view raw_body,
                              std::string_view secret, WallTime) const override {
    if (secret.empty()) return MakeError(ErrorCode::kUnauthenticated, "no webhook secret is set");
    const std::string expected = HexEncode(HmacSha256(secret, raw_body));
    const auto signature = OwnHeader(headers, "signature");
    if (!signature || !ConstantTimeEqual(*signature, expected)) {
      return MakeError(ErrorCode::kUnauthenticated, "the signature does not match");
    }
    const auto delivery = OwnHeader(headers, "delivery");
    const auto event = OwnHeader(headers, "event");
    if (!delivery || !event) {
      return MakeError(ErrorCode::kInvalid, "no usable X-Gitea-Delivery or X-Gitea-Event");
    }
    return DeliveryInfo{*delivery, *event};
  }

  Result<Event> Parse(std::string_view forge_name, std::string_view event,
                      std::string_view raw_body) const override {
    SWAGE_ASSIGN_OR_RETURN(const json body, ParseJson(raw_body));
    if (!body.is_object()) return MakeError(ErrorCode::kInvalid, "the body is no JSON object");
    const json& repo = JsonAt(body, "repository");
    const Envelope envelope{
        body,
        {std::string(forge_name), JsonId(repo, "id"), JsonString(repo, "full_name")},
        ReadUser(JsonAt(body, "sender")),
        JsonString(body, "action")};
    if (envelope.repo.id.empty() || envelope.repo.path.empty()) {
      return Ignore(event, "event without a repository");
    }
    return ParseKnown(event, envelope);
  }

  std::string PeekRepoPath(std::string_view raw_body) const override {
    return PeekJsonString(raw_body, "repository", "full_name");
  }
};

}  // namespace

std::unique_ptr<WebhookDialect> MakeGiteaDialect() {
  return std::make_unique<GiteaDialect>();
}

}  // namespace swage
