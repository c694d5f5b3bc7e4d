#include <array>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/github/api.h"

namespace swage::github {
namespace {

using nlohmann::json;

struct RoleName {
  std::string_view name;
  Role role;
};
constexpr std::array kRoles = {
    RoleName{"admin", Role::kAdmin}, RoleName{"maintain", Role::kMaintain},
    RoleName{"write", Role::kWrite}, RoleName{"triage", Role::kTriage},
    RoleName{"read", Role::kRead},   RoleName{"none", Role::kNone}};

std::optional<Role> RoleOf(std::string_view name) {
  for (const RoleName& known : kRoles) {
    if (known.name == name) return known.role;
  }
  return std::nullopt;
}

// The end of "https://api.github.com/repos/owner/name".
std::string RepoOfUrl(std::string_view url) {
  const std::size_t at = url.rfind("/repos/");
  return at == std::string_view::npos ? "" : std::string(url.substr(at + 7));
}

}  // namespace

Result<Repo> GetRepo(Api& api, std::string_view path) {
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().Get("/repos/" + EncodeSegments(path)));
  return ReadRepo(api, j);
}

// The address of a transferred issue redirects to where it went; that is another repository's
// issue. The address of a renamed repository redirects too; that is still ours.
Result<Issue> GetIssue(Api& api, const RepoRef& repo, std::int64_t number) {
  const std::string path = RepoPath(repo, "/issues/" + std::to_string(number));
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().GetSettled(path));
  if (JsonAt(j, "pull_request").is_object()) {
    return MakeError(ErrorCode::kNotFound, "GET " + path + ": a pull request, not an issue");
  }
  const std::string home = RepoOfUrl(JsonString(j, "repository_url"));
  if (!home.empty() && !EqualsIgnoreCase(home, repo.path)) {
    SWAGE_ASSIGN_OR_RETURN(const Repo now, GetRepo(api, home));
    if (now.ref.id != repo.id) {
      return MakeError(ErrorCode::kNotFound, "GET " + path + ": it was transferred away");
    }
  }
  return ReadIssue(j);
}

Result<Actor> FindAccount(Api& api, std::string_view login) {
  const std::string path = "/users/" + PercentEncode(login);
  // Nobody's name, and a path of its own to whatever tidies paths up.
  if (login.find_first_not_of('.') == login.npos) return MakeError(ErrorCode::kNotFound, path);
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().Get(path));
  const Actor actor = ReadActor(j);
  // Organisations live under the same address; they act by nobody's hand.
  if (actor.id.empty() || JsonString(j, "type") == "Organization") {
    return MakeError(ErrorCode::kNotFound, "GET " + path + ": no account of a person or bot");
  }
  return actor;
}

Result<Role> GetRole(Api& api, const RepoRef& repo, const Actor& actor) {
  if (actor.login.empty()) return Role::kNone;
  const std::string path =
      RepoPath(repo, "/collaborators/" + PercentEncode(actor.login) + "/permission");
  auto j = api.rest().Get(path);
  if (!j.ok() && j.error().code == ErrorCode::kNotFound) return Role::kNone;
  if (!j.ok()) return j.error();
  // The question is by name and names change hands; the answer must be about the same account.
  const std::string id = JsonId(*j, "user/id");
  if (!id.empty() && !actor.id.empty() && id != actor.id) return Role::kNone;
  // A custom role has a name of its own; "permission" says what it amounts to.
  if (const auto role = RoleOf(JsonString(*j, "role_name"))) return *role;
  return RoleOf(JsonString(*j, "permission")).value_or(Role::kNone);
}

}  // namespace swage::github
