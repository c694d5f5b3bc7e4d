#include "forge/github/api.h"

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/rest_reply.h"

namespace swage::github {
namespace {

using nlohmann::json;

constexpr ForgeLimits kLimits{.comment_bytes = 65'536,
                              .status_description_bytes = 140,
                              .title_bytes = 256,
                              .can_resolve_threads = true};

// GitHub Enterprise serves REST below /api/v3 and GraphQL at /api/graphql.
constexpr std::string_view kEnterpriseRoot = "/api/v3";

HttpRequest GraphQlRequest(std::string_view api_url, std::string body) {
  while (api_url.ends_with('/')) api_url.remove_suffix(1);
  if (api_url.ends_with(kEnterpriseRoot)) return {"POST", "/api/graphql", std::move(body), true};
  return {"POST", "/graphql", std::move(body), false};
}

}  // namespace

Api::Api(ForgeSettings settings, std::unique_ptr<HttpTransport> transport, SleepFunction sleep,
         std::shared_ptr<AppTokens> app)
    : settings_(std::move(settings)),
      rest_(std::move(transport), std::move(sleep)),
      limits_(kLimits),
      app_(std::move(app)) {}

Result<Actor> Api::Self() {
  std::lock_guard lock(mutex_);
  if (self_) return *self_;
  std::string path = "/user";
  if (app_ != nullptr) {
    // An App has no account of its own, but a bot that acts for it.
    SWAGE_ASSIGN_OR_RETURN(const json app, app_->AskAsApp(rest_, {"GET", "/app", ""}));
    path = "/users/" + PercentEncode(JsonString(app, "slug") + "[bot]");
  }
  SWAGE_ASSIGN_OR_RETURN(const json user, rest_.Get(path));
  Actor self = ReadActor(user);
  if (self.id.empty()) return MakeError(ErrorCode::kUnavailable, "GET " + path + ": no account");
  self_ = self;
  return self;
}

Result<json> Api::GraphQl(const RepoRef& repo, std::string_view query,
                          const json& variables) const {
  HttpRequest request = GraphQlRequest(
      settings_.api_url, DumpJson({{"query", std::string(query)}, {"variables", variables}}));
  request.only_reads = query.starts_with("query");
  request.repo = repo.path;
  SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, rest_.Exchange(request));
  if (!reply.ok()) return StatusError(request, reply.status, reply.body);
  const json& errors = JsonAt(reply.body, "errors");
  if (errors.is_array() && !errors.empty()) {
    const std::string type = JsonString(errors[0], "type");
    const ErrorCode code = type == "NOT_FOUND"      ? ErrorCode::kNotFound
                           : type == "FORBIDDEN"    ? ErrorCode::kDenied
                           : type == "RATE_LIMITED" ? ErrorCode::kRateLimited
                                                    : ErrorCode::kInvalid;
    return MakeError(code, "POST /graphql: " + RefusalText(reply.body));
  }
  return JsonAt(reply.body, "data");
}

std::string RepoPath(const RepoRef& repo, std::string_view rest) {
  return "/repos/" + EncodeSegments(repo.path) + std::string(rest);
}

Actor ReadActor(const json& user) {
  Actor actor{JsonId(user, "id"), JsonString(user, "login"), false};
  actor.is_bot = JsonString(user, "type") == "Bot" || actor.login.ends_with("[bot]");
  return actor;
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
  issue.author = ReadActor(JsonAt(j, "user"));
  issue.open = JsonString(j, "state", "open") == "open";
  const json& labels = JsonAt(j, "labels");
  for (const json& label : labels.is_array() ? labels : json::array()) {
    // Old answers list plain names.
    issue.labels.push_back(label.is_string() ? label.get<std::string>()
                                             : JsonString(label, "name"));
  }
  const json& assignees = JsonAt(j, "assignees");
  for (const json& user : assignees.is_array() ? assignees : json::array()) {
    issue.assignees.push_back(JsonId(user, "id"));
  }
  return issue;
}

Comment ReadComment(const json& j, std::string id) {
  return {std::move(id), JsonString(j, "body"), JsonString(j, "html_url"),
          ReadActor(JsonAt(j, "user"))};
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
  pull.draft = JsonBool(j, "draft");
  pull.author_id = JsonId(j, "user/id");
  // A deleted fork leaves head.repo null.
  const std::string head_repo = JsonId(j, "head/repo/id");
  pull.from_fork = head_repo.empty() || head_repo != JsonId(j, "base/repo/id");
  const bool merged = JsonBool(j, "merged") || !JsonString(j, "merged_at").empty();
  pull.state = merged                                     ? PullRequestState::kMerged
               : JsonString(j, "state", "open") == "open" ? PullRequestState::kOpen
                                                          : PullRequestState::kClosed;
  return pull;
}

}  // namespace swage::github
