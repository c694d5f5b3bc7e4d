#include "forge/gitlab/api.h"

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/gitlab/names.h"

namespace swage::gitlab {
namespace {

using nlohmann::json;

constexpr ForgeLimits kLimits{.comment_bytes = 1'000'000,
                              .status_description_bytes = 255,
                              .title_bytes = 255,
                              .can_resolve_threads = true};

}  // namespace

Api::Api(ForgeSettings settings, std::unique_ptr<HttpTransport> transport, SleepFunction sleep)
    : settings_(std::move(settings)),
      rest_(std::move(transport), std::move(sleep)),
      limits_(kLimits) {}

Result<Actor> Api::Self() {
  std::lock_guard lock(mutex_);
  if (self_) return *self_;
  SWAGE_ASSIGN_OR_RETURN(const nlohmann::json user, rest_.Get("/user"));
  Actor self{JsonId(user, "id"), JsonString(user, "username"), JsonBool(user, "bot")};
  if (self.id.empty()) return MakeError(ErrorCode::kUnavailable, "GET /user: no account");
  self_ = self;
  return self;
}

Actor ReadUser(const json& user) {
  Actor actor{JsonId(user, "id"), JsonString(user, "username"), false};
  actor.is_bot = IsBotLogin(actor.login);
  return actor;
}

Repo ReadProject(const Api& api, const json& j) {
  Repo repo;
  repo.ref = {api.settings().name, JsonId(j, "id"), JsonString(j, "path_with_namespace")};
  repo.default_branch = JsonString(j, "default_branch");
  repo.web_url = JsonString(j, "web_url");
  repo.archived = JsonBool(j, "archived");
  return repo;
}

Issue ReadIssue(const json& j) {
  Issue issue;
  issue.id = JsonId(j, "id");
  issue.number = JsonInt(j, "iid");
  issue.title = JsonString(j, "title");
  issue.body = JsonString(j, "description");
  issue.web_url = JsonString(j, "web_url");
  issue.updated_at = JsonString(j, "updated_at");
  issue.author = ReadUser(JsonAt(j, "author"));
  issue.open = JsonString(j, "state", "opened") == "opened";
  const json& labels = JsonAt(j, "labels");
  for (const json& label : labels.is_array() ? labels : json::array()) {
    if (label.is_string()) issue.labels.push_back(label.get<std::string>());
  }
  const json& assignees = JsonAt(j, "assignees");
  for (const json& user : assignees.is_array() ? assignees : json::array()) {
    issue.assignees.push_back(JsonId(user, "id"));
  }
  return issue;
}

Comment ReadNote(const json& j, const std::string& thread_url) {
  Comment comment{JsonId(j, "id"), JsonString(j, "body"), "", ReadUser(JsonAt(j, "author"))};
  if (!thread_url.empty()) comment.web_url = thread_url + "#note_" + comment.id;
  return comment;
}

std::string ProjectPath(const RepoRef& repo, std::string_view rest) {
  return "/projects/" + PercentEncode(repo.id) + std::string(rest);
}

std::string ThreadPath(const RepoRef& repo, const Thread& thread, std::string_view rest) {
  const std::string kind = thread.kind == ThreadKind::kIssue ? "/issues/" : "/merge_requests/";
  return ProjectPath(repo, kind + std::to_string(thread.number) + std::string(rest));
}

}  // namespace swage::gitlab
