// What the bot's token lacks: its scope, its time, and the role in the projects that it is to work
// on.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "config/base/json.h"
#include "config/base/text.h"
#include "config/repo_allow.h"
#include "forge/gitlab/api.h"
#include "forge/http_date.h"
#include "forge/paging.h"
#include "forge/rest_reply.h"

namespace swage::gitlab {
namespace {

using nlohmann::json;

constexpr std::string_view kScope = "api";
constexpr std::chrono::days kSoon{14};
constexpr int kDeveloper = 30;
constexpr int kMaxPages = 30;  // of a hundred
constexpr std::size_t kMaxTold = 50;

std::vector<std::string> ScopesOf(const json& token) {
  std::vector<std::string> scopes;
  const json& listed = JsonAt(token, "scopes");
  for (const json& scope : listed.is_array() ? listed : json::array()) {
    if (scope.is_string()) scopes.push_back(scope.get<std::string>());
  }
  return scopes;
}

std::string LacksScope(const std::vector<std::string>& scopes) {
  return fmt::format("the token lacks the scope {}{}; make one that has it.", kScope,
                     scopes.empty() ? "" : " (it has " + Join(scopes, ", ") + ")");
}

// A token ends at midnight UTC of a day.
std::optional<WallTime> EndOf(const json& token) {
  const std::string day = JsonString(token, "expires_at");
  return day.empty() ? std::nullopt : ParseUtc(day.substr(0, 10) + "T00:00:00Z");
}

// The token's own page says the same of personal, project and group access tokens. False: it may
// not ask for anything else either.
Result<bool> JudgeToken(Api& api, std::vector<std::string>& gaps) {
  const HttpRequest request{"GET", "/personal_access_tokens/self", ""};
  SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, api.rest().Exchange(request));
  if (reply.status == 403) {
    gaps.push_back(LacksScope({}));
    return false;
  }
  if (reply.status == 404) return true;  // older than 15.5
  if (!reply.ok()) return StatusError(request, reply.status, reply.body);
  const std::vector<std::string> scopes = ScopesOf(reply.body);
  if (std::ranges::find(scopes, kScope) == scopes.end()) gaps.push_back(LacksScope(scopes));
  const auto now = ParseHttpDate(reply.date);
  const auto end = EndOf(reply.body);
  if (now && end && *end < *now + kSoon) {
    gaps.push_back(fmt::format("the token expires on {}; rotate it before.",
                               JsonString(reply.body, "expires_at")));
  }
  return true;
}

/// The paths of the projects that the account is a member of, in lower case.
Result<std::set<std::string>> ListProjects(Api& api, std::string_view narrowed) {
  std::set<std::string> paths;
  const std::string path =
      fmt::format("/projects?membership=true&simple=true&order_by=id&sort=asc{}", narrowed);
  SWAGE_ASSIGN_OR_RETURN(const PagedRead read,
                         ReadPages(api.rest(), path, "", kMaxPages, [&](const json& project) {
                           paths.insert(ToLower(JsonString(project, "path_with_namespace")));
                           return true;
                         }));
  if (read.more) return MakeError(ErrorCode::kTooLarge, "GET /projects: too many projects");
  return paths;
}

// Those that are named, and those that a glob of the settings meets.
Result<std::set<std::string>> ServedProjects(Api& api) {
  SWAGE_ASSIGN_OR_RETURN(std::set<std::string> served, ListProjects(api, ""));
  const auto& entries = api.settings().repos;
  std::erase_if(served, [&](const std::string& path) { return !IsRepoAllowed(entries, path); });
  for (const std::string& entry : entries) {
    if (entry.find_first_of("*?!") == std::string::npos) served.insert(ToLower(entry));
  }
  return served;
}

Result<void> JudgeRoles(Api& api, std::vector<std::string>& gaps) {
  SWAGE_ASSIGN_OR_RETURN(const auto served, ServedProjects(api));
  SWAGE_ASSIGN_OR_RETURN(const auto writable,
                         ListProjects(api, fmt::format("&min_access_level={}", kDeveloper)));
  for (const std::string& path : served) {
    if (writable.contains(path) || gaps.size() >= kMaxTold) continue;
    gaps.push_back(
        fmt::format("{}: the account is no Developer there; give it that role, or make the token "
                    "with it.",
                    path));
  }
  return Ok();
}

}  // namespace

Result<std::vector<std::string>> FindMissingRights(Api& api) {
  std::vector<std::string> gaps;
  SWAGE_ASSIGN_OR_RETURN(const bool can_ask, JudgeToken(api, gaps));
  if (can_ask) SWAGE_RETURN_IF_ERROR(JudgeRoles(api, gaps));
  return gaps;
}

}  // namespace swage::gitlab
