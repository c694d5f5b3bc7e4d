#include "forge/gitea/api.h"

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/origin.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

// A comment fits the narrowest text column of the databases that Gitea runs on.
constexpr ForgeLimits kLimits{.comment_bytes = 65'535,
                              .status_description_bytes = 255,
                              .title_bytes = 255,
                              .can_resolve_threads = false};

// Fifty is the most that a server hands out by default, and its administrator may have lowered it;
// what the token may not see is left out of a page that is full for the server.
constexpr Paging kPaging{.size_name = "limit", .size = 50, .until_empty = true};

constexpr std::string_view kNoReplyStart = "noreply.";
constexpr std::string_view kDraftForms[] = {"wip:", "[wip]"};

}  // namespace

Api::Api(ForgeSettings settings, std::unique_ptr<HttpTransport> transport, SleepFunction sleep)
    : settings_(std::move(settings)),
      rest_(std::move(transport), std::move(sleep), kPaging),
      limits_(kLimits) {}

Result<Actor> Api::Self() {
  std::lock_guard lock(mutex_);
  if (self_) return *self_;
  SWAGE_ASSIGN_OR_RETURN(const json user, rest_.Get("/user"));
  Actor self = ReadUser(user);
  if (self.id.empty()) return MakeError(ErrorCode::kUnavailable, "GET /user: no account");
  self_ = self;
  return self;
}

std::string Api::NoReplyHost() const {
  std::lock_guard lock(mutex_);
  if (!no_reply_host_.empty()) return no_reply_host_;
  return std::string(kNoReplyStart) + HostOf(settings_.git_url);
}

void Api::LearnNoReplyHost(const json& user) {
  const std::string email = ToLower(JsonString(user, "email"));
  const std::string start = ToLower(JsonString(user, "login")) + "@" + std::string(kNoReplyStart);
  if (!email.starts_with(start)) return;
  std::lock_guard lock(mutex_);
  no_reply_host_ = email.substr(email.find('@') + 1);
}

std::string RepoPath(const RepoRef& repo, std::string_view rest) {
  return "/repos/" + EncodeSegments(repo.path) + std::string(rest);
}

Actor ReadUser(const json& user) {
  if (JsonInt(user, "id") <= 0) return {};
  return {JsonId(user, "id"), JsonString(user, "login"), false};
}

Repo ReadRepo(const Api& api, const json& j) {
  Repo repo;
  repo.ref = {api.settings().name, JsonId(j, "id"), JsonString(j, "full_name")};
  repo.default_branch = JsonString(j, "default_branch");
  repo.web_url = JsonString(j, "html_url");
  repo.archived = JsonBool(j, "archived");
  return repo;
}

Issue ReadIssue(const json& j) {
  Issue issue;
  issue.id = JsonId(j, "id");
  issue.number = JsonInt(j, "number");
  issue.title = JsonString(j, "title");
  issue.body = JsonString(j, "body");
  issue.web_url = JsonString(j, "html_url");
  issue.updated_at = JsonString(j, "updated_at");
  issue.author = ReadUser(JsonAt(j, "user"));
  issue.open = JsonString(j, "state", "open") == "open";
  const json& labels = JsonAt(j, "labels");
  for (const json& label : labels.is_array() ? labels : json::array()) {
    issue.labels.push_back(JsonString(label, "name"));
  }
  const json& assignees = JsonAt(j, "assignees");
  for (const json& user : assignees.is_array() ? assignees : json::array()) {
    issue.assignees.push_back(JsonId(user, "id"));
  }
  return issue;
}

Comment ReadComment(const json& j, std::string id) {
  return {std::move(id), JsonString(j, "body"), JsonString(j, "html_url"),
          ReadUser(JsonAt(j, "user"))};
}

bool IsDraftTitle(std::string_view title) {
  const std::string lower = ToLower(title);
  for (const std::string_view form : kDraftForms) {
    if (lower.starts_with(form)) return true;
  }
  return false;
}

PullRequest ReadPullRequest(const json& j) {
  PullRequest pull;
  pull.number = JsonInt(j, "number");
  pull.web_url = JsonString(j, "html_url");
  pull.title = JsonString(j, "title");
  pull.body = JsonString(j, "body");
  pull.head_branch = JsonString(j, "head/ref");
  pull.base_branch = JsonString(j, "base/ref");
  pull.head_sha.value = JsonString(j, "head/sha");
  pull.draft = JsonBool(j, "draft") || IsDraftTitle(pull.title);
  pull.author_id = ReadUser(JsonAt(j, "user")).id;
  // A deleted fork leaves head.repo null; its repo_id stays.
  pull.from_fork = JsonInt(j, "head/repo_id") != JsonInt(j, "base/repo_id");
  pull.state = JsonBool(j, "merged")                      ? PullRequestState::kMerged
               : JsonString(j, "state", "open") == "open" ? PullRequestState::kOpen
                                                          : PullRequestState::kClosed;
  return pull;
}

}  // namespace swage::gitea
