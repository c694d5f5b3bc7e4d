#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/gitlab/api.h"
#include "forge/gitlab/names.h"

namespace swage::gitlab {
namespace {

using nlohmann::json;

// Levels from docs.gitlab.com/api/members; a level between two known ones counts as the lower.
Role RoleOf(std::int64_t level) {
  if (level >= 50) return Role::kAdmin;
  if (level >= 40) return Role::kMaintain;
  if (level >= 30) return Role::kWrite;
  if (level >= 15) return Role::kTriage;
  if (level >= 10) return Role::kRead;
  return Role::kNone;
}

}  // namespace

Result<Repo> GetRepo(Api& api, std::string_view path) {
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().Get("/projects/" + PercentEncode(path)));
  return ReadProject(api, j);
}

Result<Issue> GetIssue(Api& api, const RepoRef& repo, std::int64_t number) {
  const std::string path = ProjectPath(repo, "/issues/" + std::to_string(number));
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().GetSettled(path));
  return ReadIssue(j);
}

// The search compares without letter case and finds one or none; only the account's own address
// tells whether it is a bot's.
Result<Actor> FindAccount(Api& api, std::string_view login) {
  const std::string path = "/users?username=" + PercentEncode(login);
  if (login.empty()) return MakeError(ErrorCode::kNotFound, path);  // would list everybody
  SWAGE_ASSIGN_OR_RETURN(const json found, api.rest().Get(path));
  for (const json& user : found.is_array() ? found : json::array()) {
    if (!EqualsIgnoreCase(JsonString(user, "username"), login)) continue;
    SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().Get("/users/" + JsonId(user, "id")));
    Actor actor{JsonId(j, "id"), JsonString(j, "username"), JsonBool(j, "bot")};
    actor.is_bot = actor.is_bot || IsBotLogin(actor.login);
    return actor;
  }
  return MakeError(ErrorCode::kNotFound, "GET " + path + ": no such account");
}

// "/all" counts members inherited from groups.
Result<Role> GetRole(Api& api, const RepoRef& repo, const Actor& actor) {
  if (actor.id.empty()) return Role::kNone;
  auto j = api.rest().Get(ProjectPath(repo, "/members/all/" + PercentEncode(actor.id)));
  if (!j.ok() && j.error().code == ErrorCode::kNotFound) return Role::kNone;
  if (!j.ok()) return j.error();
  if (JsonString(*j, "state", "active") != "active") return Role::kNone;  // blocked
  return RoleOf(JsonInt(*j, "access_level"));
}

}  // namespace swage::gitlab
