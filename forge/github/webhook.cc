#include "forge/github/webhook.h"

#include <nlohmann/json.hpp>

#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/github/api.h"
#include "forge/json_peek.h"
#include "forge/webhook_headers.h"

namespace swage {
namespace {

using github::ReadActor;
using github::ReadComment;
using github::ReadIssue;
using nlohmann::json;

// A hook of content type "form" sends "payload=" and the JSON, percent-encoded; its signature
// covers the encoded bytes. JSON never starts like that.
constexpr std::string_view kFormStart = "payload=";

std::optional<std::string> DecodeForm(std::string_view body) {
  body.remove_prefix(kFormStart.size());
  std::string field(body.substr(0, body.find('&')));
  return PercentDecode(ReplaceAll(std::move(field), "+", " "));
}

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
  if (e.action == "opened") return IssueOpened{e.repo, e.actor, issue};
  // The list in `issue.labels` may be older or newer than the event: its own label is what counts.
  const std::string label = JsonString(e.body, "label/name");
  if (e.action == "labeled" && !label.empty())
    return IssueLabeled{e.repo, e.actor, issue, {label}, {}};
  if (e.action == "unlabeled" && !label.empty()) {
    return IssueUnlabeled{e.repo, e.actor, issue, {label}};
  }
  const std::string assignee = JsonId(JsonAt(e.body, "assignee"), "id");
  if (e.action == "assigned" && !assignee.empty()) {
    return IssueAssigned{e.repo, e.actor, issue, {assignee}};
  }
  if (e.action == "unassigned" && !assignee.empty()) {
    return IssueUnassigned{e.repo, e.actor, issue, {assignee}};
  }
  if (e.action == "closed") return IssueGone{e.repo, e.actor, issue, GoneReason::kClosed};
  if (e.action == "reopened") return IssueReopened{e.repo, e.actor, issue};
  if (e.action == "deleted") return IssueGone{e.repo, e.actor, issue, GoneReason::kDeleted};
  if (e.action == "transferred") return IssueGone{e.repo, e.actor, issue, GoneReason::kTransferred};
  return Ignore("issues", e.action);
}

Event ParseIssueComment(const Envelope& e) {
  const json& comment = JsonAt(e.body, "comment");
  const std::string id = JsonId(comment, "id");
  const Issue issue = ReadIssue(JsonAt(e.body, "issue"));
  if (e.action != "created" || id.empty() || issue.number <= 0) {
    return Ignore("issue_comment", e.action);
  }
  const bool on_pull_request = JsonAt(e.body, "issue/pull_request").is_object();
  const Thread thread{on_pull_request ? ThreadKind::kPullRequest : ThreadKind::kIssue,
                      issue.number};
  CommentCreated event{e.repo, e.actor, thread, ReadComment(comment, id), issue.open, {}};
  if (!on_pull_request) event.issue = issue;
  return event;
}

// Line comments ("comment") and the text above them ("review") both speak to the pull request.
Event ParseReviewText(const Envelope& e, std::string_view event, std::string_view wanted,
                      Comment comment) {
  const json& pull = JsonAt(e.body, "pull_request");
  const Thread thread{ThreadKind::kPullRequest, JsonInt(pull, "number")};
  if (e.action != wanted || thread.number <= 0) return Ignore(event, e.action);
  if (Trim(comment.body).empty()) return Ignore(event, "without text");
  return CommentCreated{
      e.repo, e.actor, thread, std::move(comment), JsonString(pull, "state", "open") == "open", {}};
}

// One that asks for changes is taken as a whole, with its line comments; the text of any other is a
// comment as all are.
Event ParseReview(const Envelope& e, std::string_view event) {
  const json& review = JsonAt(e.body, "review");
  const json& pull = JsonAt(e.body, "pull_request");
  const std::int64_t number = JsonInt(pull, "number");
  const std::string id = JsonId(review, "id");
  const bool asks = EqualsIgnoreCase(JsonString(review, "state"), "changes_requested");
  if (asks && e.action == "submitted" && number > 0 && !id.empty()) {
    const bool open = JsonString(pull, "state", "open") == "open";
    return ReviewSubmitted{e.repo, e.actor, number, JsonString(review, "body"), open, true, id};
  }
  return ParseReviewText(
      e, event, "submitted",
      ReadComment(review, std::string(kReviewPrefix) + JsonString(review, "node_id")));
}

Event ParsePullRequest(const Envelope& e) {
  const json& pull = JsonAt(e.body, "pull_request");
  const std::int64_t number = JsonInt(pull, "number");
  if (number <= 0) return Ignore("pull_request", "without a number");
  if (e.action == "synchronize") {
    return PullRequestPushed{
        e.repo, e.actor, number, JsonString(pull, "head/ref"), {JsonString(pull, "head/sha")}};
  }
  if (e.action != "closed") return Ignore("pull_request", e.action);
  return PullRequestClosed{e.repo, e.actor, number, JsonString(pull, "head/ref"),
                           JsonBool(pull, "merged")};
}

// Of a run, or of all of a commit. Runs of others are known by their id not being ours; suites that
// an App is told of are its own.
Event ParseRerequest(std::string_view event, const Envelope& e) {
  const bool one = event == "check_run";
  const json& check = JsonAt(e.body, one ? "check_run" : "check_suite");
  const json& suite = one ? JsonAt(check, "check_suite") : check;
  const bool button = one && e.action == "requested_action" &&
                      JsonString(e.body, "requested_action/identifier") == github::kRerunAction;
  if (e.action != "rerequested" && !button) return Ignore(event, e.action);
  const std::string name = JsonString(check, "name");
  const bool ours = one ? JsonString(check, "external_id").starts_with(name + "#")
                        : JsonAt(e.body, "installation").is_object();
  const CommitSha head{JsonString(check, "head_sha")};
  if (!ours || head.value.empty()) return Ignore(event, "of somebody else");
  const json& pulls = JsonAt(check, "pull_requests");
  const std::int64_t number = pulls.is_array() && !pulls.empty() ? JsonInt(pulls[0], "number") : 0;
  return ChecksRerequested{
      e.repo, e.actor, head, JsonString(suite, "head_branch"), number, one && !button ? name : ""};
}

std::vector<RepoRef> ReadRepos(std::string_view forge, const json& list) {
  std::vector<RepoRef> repos;
  for (const json& j : list.is_array() ? list : json::array()) {
    repos.push_back({std::string(forge), JsonId(j, "id"), JsonString(j, "full_name")});
  }
  return repos;
}

// An account installed the App, or took it away; not about one repository.
Event ParseAccess(std::string_view forge, std::string_view event, const json& body) {
  using Kind = AccessChanged::Kind;
  AccessChanged changed;
  changed.repo.forge = forge;
  changed.actor = ReadActor(JsonAt(body, "sender"));
  changed.owner = JsonString(body, "installation/account/login");
  const std::string action = JsonString(body, "action");
  if (changed.owner.empty()) return Ignore(event, "without an account");
  if (event == "installation_repositories") {
    changed.kind = action == "added" ? Kind::kGranted : Kind::kRemoved;
    changed.repos = ReadRepos(forge, JsonAt(body, "repositories_" + action));
    if (changed.repos.empty()) return Ignore(event, "without repositories");
    return changed;
  }
  if (action == "created" || action == "unsuspend" || action == "new_permissions_accepted") {
    changed.kind = Kind::kGranted;
    if (JsonString(body, "installation/repository_selection") == "selected") {
      changed.repos = ReadRepos(forge, JsonAt(body, "repositories"));
    }
  } else if (action == "suspend") {
    changed.kind = Kind::kSuspended;
  } else if (action == "deleted") {
    changed.kind = Kind::kRemoved;
  } else {
    return Ignore(event, action);
  }
  return changed;
}

Event ParseKnown(std::string_view event, const Envelope& e) {
  if (event == "issues") return ParseIssues(e);
  if (event == "issue_comment") return ParseIssueComment(e);
  if (event == "pull_request") return ParsePullRequest(e);
  if (event == "pull_request_review_comment") {
    return ParseReviewText(e, event, "created", github::ReadLineComment(JsonAt(e.body, "comment")));
  }
  if (event == "pull_request_review") return ParseReview(e, event);
  if (event == "check_run" || event == "check_suite") return ParseRerequest(event, e);
  return Ignore(event, "event");
}

class GitHubDialect final : public WebhookDialect {
 public:
  Result<DeliveryInfo> Verify(const HeaderMap& headers, std::string_view raw_body,
                              std::string_view secret, WallTime) const override {
    if (secret.empty()) return MakeError(ErrorCode::kUnauthenticated, "no webhook secret is set");
    const std::string expected = "sha256=" + HexEncode(HmacSha256(secret, raw_body));
    const auto signature = SingleHeader(headers, "x-hub-signature-256");
    if (!signature || !ConstantTimeEqual(*signature, expected)) {
      return MakeError(ErrorCode::kUnauthenticated, "the signature does not match");
    }
    const auto delivery = SingleHeader(headers, "x-github-delivery");
    const auto event = SingleHeader(headers, "x-github-event");
    if (!delivery || !event) {
      return MakeError(ErrorCode::kInvalid, "no usable X-GitHub-Delivery or X-GitHub-Event");
    }
    return DeliveryInfo{*delivery, *event};
  }

  Result<Event> Parse(std::string_view forge_name, std::string_view event,
                      std::string_view raw_body) const override {
    std::string decoded;
    if (raw_body.starts_with(kFormStart)) {
      const auto form = DecodeForm(raw_body);
      if (!form) return MakeError(ErrorCode::kInvalid, "the form's payload is badly encoded");
      decoded = *form;
      raw_body = decoded;
    }
    SWAGE_ASSIGN_OR_RETURN(const json body, ParseJson(raw_body));
    if (!body.is_object()) return MakeError(ErrorCode::kInvalid, "the body is no JSON object");
    if (event == "installation" || event == "installation_repositories") {
      return ParseAccess(forge_name, event, body);
    }
    const json& repo = JsonAt(body, "repository");
    Envelope envelope{body,
                      {std::string(forge_name), JsonId(repo, "id"), JsonString(repo, "full_name")},
                      ReadActor(JsonAt(body, "sender")),
                      JsonString(body, "action")};
    if (envelope.repo.id.empty() || envelope.repo.path.empty()) {
      return Ignore(event, "event without a repository");
    }
    return ParseKnown(event, envelope);
  }

  std::string PeekRepoPath(std::string_view raw_body) const override {
    if (!raw_body.starts_with(kFormStart)) {
      return PeekJsonString(raw_body, "repository", "full_name");
    }
    const auto form = DecodeForm(raw_body);
    return form ? PeekJsonString(*form, "repository", "full_name") : std::string();
  }
};

}  // namespace

std::unique_ptr<WebhookDialect> MakeGitHubDialect() {
  return std::make_unique<GitHubDialect>();
}

}  // namespace swage
