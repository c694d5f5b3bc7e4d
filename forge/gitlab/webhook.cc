#include "forge/gitlab/webhook.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/gitlab/api.h"
#include "forge/gitlab/names.h"
#include "forge/json_peek.h"
#include "forge/webhook_headers.h"

namespace swage {
namespace {

using nlohmann::json;

constexpr std::string_view kSigningPrefix = "whsec_";
constexpr std::size_t kMaxSignatures = 8;  // a rotation sends two

Error Refused(std::string message) {
  return MakeError(ErrorCode::kUnauthenticated, std::move(message));
}

// The key behind a signing token. Standard Webhooks: base64 behind "whsec_".
std::string SigningKey(std::string_view secret) {
  if (secret.starts_with(kSigningPrefix)) {
    if (auto key = Base64Decode(secret.substr(kSigningPrefix.size()))) return *key;
  }
  return std::string(secret);
}

bool HasSignature(const HeaderMap& headers) {
  return headers.contains("webhook-signature");
}

Result<void> VerifySigned(const HeaderMap& headers, std::string_view body, std::string_view secret,
                          WallTime now) {
  const auto id = SingleHeader(headers, "webhook-id");
  const auto timestamp = SingleHeader(headers, "webhook-timestamp");
  const auto signatures = SingleHeader(headers, "webhook-signature");
  if (!id || !timestamp || !signatures) return Refused("the signature's headers are incomplete");
  const auto seconds = ParseInt(*timestamp);
  // Compared as seconds and clamped first: a huge number must not overflow microseconds.
  const auto now_s = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  const auto tolerance = std::chrono::seconds(kSignatureTolerance).count();
  if (!seconds || *seconds < now_s - tolerance || *seconds > now_s + tolerance) {
    return Refused("the signature's time is too far from ours");
  }
  std::string content = *id + "." + *timestamp + ".";
  content += body;
  const std::string expected = "v1," + Base64Encode(HmacSha256(SigningKey(secret), content));
  const auto candidates = Split(*signatures, ' ');
  bool matches = false;
  for (std::size_t i = 0; i < std::min(candidates.size(), kMaxSignatures); ++i) {
    matches |= ConstantTimeEqual(candidates[i], expected);
  }
  if (!matches) return Refused("the signature does not match");
  return Ok();
}

Result<void> VerifyToken(const HeaderMap& headers, std::string_view secret) {
  if (secret.starts_with(kSigningPrefix)) {
    return Refused("the secret is a signing token, but the delivery is not signed");
  }
  const auto token = SingleHeader(headers, "x-gitlab-token");
  if (!token || !ConstantTimeEqual(*token, secret)) return Refused("the token does not match");
  return Ok();
}

// Stable over GitLab's own retries. A signed id wins: an unsigned header could be changed on the
// way.
std::string DeliveryKey(const HeaderMap& headers, std::string_view body) {
  if (HasSignature(headers)) return *SingleHeader(headers, "webhook-id");
  for (const std::string_view name : {"idempotency-key", "webhook-id"}) {
    if (auto key = SingleHeader(headers, name)) return *key;
  }
  // The UUID alone is shared by recursive hooks; with the body it is one delivery.
  std::string seed = SingleHeader(headers, "x-gitlab-event-uuid").value_or("") + "\n";
  seed += body;
  return Sha256Hex(seed);
}

Actor ReadActor(const json& user) {
  Actor actor{JsonId(user, "id"), JsonString(user, "username"), false};
  actor.is_bot = gitlab::IsBotLogin(actor.login);
  return actor;
}

std::vector<std::string> LabelTitles(const json& labels) {
  std::vector<std::string> titles;
  for (const json& label : labels.is_array() ? labels : json::array()) {
    titles.push_back(JsonString(label, "title"));
  }
  return titles;
}

/// Of a list of ids, or of users with one.
std::vector<std::string> Ids(const json& list) {
  std::vector<std::string> ids;
  for (const json& item : list.is_array() ? list : json::array()) {
    if (item.is_object()) ids.push_back(JsonId(item, "id"));
    if (item.is_number_integer()) ids.push_back(std::to_string(item.get<std::int64_t>()));
  }
  return ids;
}

std::vector<std::string> Difference(const std::vector<std::string>& of,
                                    const std::vector<std::string>& without) {
  std::vector<std::string> rest;
  for (const std::string& s : of) {
    if (std::find(without.begin(), without.end(), s) == without.end()) rest.push_back(s);
  }
  return rest;
}

struct Envelope {
  const json& body;
  RepoRef repo;
  Actor actor;
  std::string action;
};

Event Ignore(std::string_view kind, std::string_view why) {
  return Ignored{std::string(kind) + " " + std::string(why)};
}

// `j` is object_attributes of an issue hook, or `issue` of a note hook.
Issue ReadIssue(const json& j) {
  Issue issue;
  issue.id = JsonId(j, "id");
  issue.number = JsonInt(j, "iid");
  issue.title = JsonString(j, "title");
  issue.body = JsonString(j, "description");
  issue.web_url = JsonString(j, "url");
  issue.updated_at = JsonString(j, "updated_at");
  issue.author.id = JsonId(j, "author_id");
  issue.open = JsonString(j, "state", "opened") == "opened";
  issue.labels = LabelTitles(JsonAt(j, "labels"));
  issue.assignees = Ids(JsonAt(j, "assignee_ids"));
  return issue;
}

Event ParseAssignees(const Envelope& e, const Issue& issue) {
  const auto before = Ids(JsonAt(e.body, "changes/assignees/previous"));
  const auto after = Ids(JsonAt(e.body, "changes/assignees/current"));
  auto removed = Difference(before, after);
  if (auto added = Difference(after, before); !added.empty()) {
    return IssueAssigned{e.repo, e.actor, issue, std::move(added), std::move(removed)};
  }
  if (!removed.empty()) return IssueUnassigned{e.repo, e.actor, issue, std::move(removed)};
  return Ignore("issue", e.action);
}

Event ParseIssue(const Envelope& e) {
  const json& attributes = JsonAt(e.body, "object_attributes");
  Issue issue = ReadIssue(attributes);
  if (issue.number <= 0) return Ignore("issue", "without an issue");
  if (issue.labels.empty()) issue.labels = LabelTitles(JsonAt(e.body, "labels"));
  if (issue.author.id == e.actor.id) issue.author = e.actor;
  if (e.action == "close") {
    const bool moved = !JsonId(attributes, "moved_to_id").empty();
    return IssueGone{e.repo, e.actor, issue,
                     moved ? GoneReason::kTransferred : GoneReason::kClosed};
  }
  if (e.action == "reopen") return IssueReopened{e.repo, e.actor, issue};
  if (e.action == "open") return IssueOpened{e.repo, e.actor, issue, true};
  // "Label added" has no action of its own.
  const auto before = LabelTitles(JsonAt(e.body, "changes/labels/previous"));
  const auto after = LabelTitles(JsonAt(e.body, "changes/labels/current"));
  auto removed = Difference(before, after);
  if (auto added = Difference(after, before); !added.empty()) {
    return IssueLabeled{e.repo, e.actor, issue, std::move(added), std::move(removed)};
  }
  if (!removed.empty()) {
    return IssueUnlabeled{e.repo, e.actor, issue, std::move(removed)};
  }
  return ParseAssignees(e, issue);
}

// Hooks before GitLab 16.11 carry no action; an edit shows in its times (T19).
bool IsNewNote(const json& note, std::string_view action) {
  if (!action.empty()) return action == "create";
  return JsonString(note, "created_at") == JsonString(note, "updated_at");
}

Event ParseNote(const Envelope& e) {
  const json& note = JsonAt(e.body, "object_attributes");
  const std::string id = JsonId(note, "id");
  if (id.empty() || !IsNewNote(note, e.action)) return Ignore("note", e.action);
  if (JsonBool(note, "system")) return Ignore("note", "by the system");
  const std::string type = JsonString(note, "noteable_type");
  const bool on_issue = type == "Issue";
  if (!on_issue && type != "MergeRequest") return Ignore("note on", type);
  const json& subject = JsonAt(e.body, on_issue ? "issue" : "merge_request");
  const Thread thread{on_issue ? ThreadKind::kIssue : ThreadKind::kPullRequest,
                      JsonInt(subject, "iid")};
  if (thread.number <= 0) return Ignore("note", "without its thread");
  Comment comment{id, JsonString(note, "note"), JsonString(note, "url"), e.actor};
  const bool open = JsonString(subject, "state", "opened") == "opened";
  comment.place = gitlab::ReadPlace(JsonAt(note, "position"), JsonString(note, "discussion_id"));
  CommentCreated event{e.repo, e.actor, thread, std::move(comment), open, {}};
  if (on_issue) event.issue = ReadIssue(subject);
  return event;
}

// A reviewer's own state, as it is since this very event. Older versions do not tell of it; polling
// finds it there.
bool AsksForChanges(const Envelope& e) {
  const auto asks = [&](std::string_view when) {
    const json& reviewers = JsonAt(e.body, "changes/reviewers/" + std::string(when));
    for (const json& reviewer : reviewers.is_array() ? reviewers : json::array()) {
      const bool own = JsonId(reviewer, "id") == e.actor.id;
      if (own && JsonString(reviewer, "state") == "requested_changes") return true;
    }
    return false;
  };
  return asks("current") && !asks("previous");
}

Event ParseMergeRequest(const Envelope& e) {
  const json& attributes = JsonAt(e.body, "object_attributes");
  const std::int64_t number = JsonInt(attributes, "iid");
  if (e.action == "update" && number > 0 && AsksForChanges(e)) {
    const bool open = JsonString(attributes, "state", "opened") == "opened";
    return ReviewSubmitted{e.repo, e.actor, number, "", open, true};
  }
  // Only an update that moved the head says where it was before.
  if (e.action == "update" && number > 0 && !JsonString(attributes, "oldrev").empty()) {
    return PullRequestPushed{e.repo,
                             e.actor,
                             number,
                             JsonString(attributes, "source_branch"),
                             {JsonString(attributes, "last_commit/id")}};
  }
  if ((e.action != "close" && e.action != "merge") || number <= 0) {
    return Ignore("merge_request", e.action);
  }
  return PullRequestClosed{e.repo, e.actor, number, JsonString(attributes, "source_branch"),
                           e.action == "merge"};
}

class GitLabDialect final : public WebhookDialect {
 public:
  Result<DeliveryInfo> Verify(const HeaderMap& headers, std::string_view raw_body,
                              std::string_view secret, WallTime now) const override {
    if (secret.empty()) return Refused("no webhook secret is set");
    if (HasSignature(headers)) {
      SWAGE_RETURN_IF_ERROR(VerifySigned(headers, raw_body, secret, now));
    } else {
      SWAGE_RETURN_IF_ERROR(VerifyToken(headers, secret));
    }
    const auto event = SingleHeader(headers, "x-gitlab-event");
    if (!event) return MakeError(ErrorCode::kInvalid, "no usable X-Gitlab-Event");
    return DeliveryInfo{DeliveryKey(headers, raw_body), *event};
  }

  Result<Event> Parse(std::string_view forge_name, std::string_view event,
                      std::string_view raw_body) const override {
    SWAGE_ASSIGN_OR_RETURN(const json body, ParseJson(raw_body));
    if (!body.is_object()) return MakeError(ErrorCode::kInvalid, "the body is no JSON object");
    const json& project = JsonAt(body, "project");
    Envelope envelope{body,
                      {std::string(forge_name), JsonId(project, "id"),
                       JsonString(project, "path_with_namespace")},
                      ReadActor(JsonAt(body, "user")),
                      JsonString(body, "object_attributes/action")};
    // The header is not part of a signature; the body says itself what it is.
    const std::string kind = JsonString(body, "object_kind");
    const bool known = kind == "issue" || kind == "note" || kind == "merge_request";
    if (!known) return Ignore(event, "event");
    if (envelope.repo.id.empty() || envelope.repo.path.empty()) {
      return Ignore(kind, "event without a project");
    }
    if (kind == "issue") return ParseIssue(envelope);
    if (kind == "note") return ParseNote(envelope);
    return ParseMergeRequest(envelope);
  }

  std::string PeekRepoPath(std::string_view raw_body) const override {
    return PeekJsonString(raw_body, "project", "path_with_namespace");
  }
};

}  // namespace

std::unique_ptr<WebhookDialect> MakeGitLabDialect() {
  return std::make_unique<GitLabDialect>();
}

}  // namespace swage
