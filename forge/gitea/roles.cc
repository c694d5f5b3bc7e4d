// What somebody may do. Gitea tells it only to an administrator of the repository; for an account
// that may only write there are detours, and where they lead nowhere the answer is the lesser role.
#include <array>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/gitea/api.h"
#include "forge/rest_reply.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

struct RoleName {
  std::string_view name;
  Role role;
};
constexpr std::array kRoles = {RoleName{"owner", Role::kAdmin}, RoleName{"admin", Role::kAdmin},
                               RoleName{"write", Role::kWrite}, RoleName{"read", Role::kRead}};

Role RoleOf(std::string_view name) {
  for (const RoleName& known : kRoles) {
    if (known.name == name) return known.role;
  }
  return Role::kNone;
}

/// Nothing: the token may not ask.
Result<std::optional<Role>> AskedAsAdmin(Api& api, const RepoRef& repo, const Actor& actor) {
  const auto j = api.rest().Get(
      RepoPath(repo, "/collaborators/" + PercentEncode(actor.login) + "/permission"));
  if (!j.ok() && j.error().code == ErrorCode::kNotFound) return std::optional(Role::kNone);
  if (!j.ok() && j.error().code == ErrorCode::kDenied) return std::optional<Role>();
  if (!j.ok()) return j.error();
  // The question is by name and names change hands; the answer must be about the same account.
  const std::string id = JsonId(*j, "user/id");
  if (!id.empty() && !actor.id.empty() && id != actor.id) return std::optional(Role::kNone);
  api.LearnNoReplyHost(JsonAt(*j, "user"));
  return std::optional(RoleOf(JsonString(*j, "permission")));
}

Role OwnRole(const json& repo) {
  const json& may = JsonAt(repo, "permissions");
  if (JsonBool(may, "admin")) return Role::kAdmin;
  if (JsonBool(may, "push")) return Role::kWrite;
  return JsonBool(may, "pull") ? Role::kRead : Role::kNone;
}

// Issues of a person's repository can be assigned to those who may write there, and to nobody else.
// In an organisation's also to teams that may only read.
Result<bool> MayWriteToAPersons(Api& api, const RepoRef& repo, const std::string& owner,
                                const Actor& actor) {
  const auto organisation = api.rest().Get("/orgs/" + PercentEncode(owner));
  if (organisation.ok()) return false;
  if (organisation.error().code != ErrorCode::kNotFound) return organisation.error();
  SWAGE_ASSIGN_OR_RETURN(const json assignees, api.rest().Get(RepoPath(repo, "/assignees")));
  for (const json& user : assignees.is_array() ? assignees : json::array()) {
    if (ReadUser(user).id == actor.id) return true;
  }
  return false;
}

Result<Role> AskedAsWriter(Api& api, const RepoRef& repo, const json& told, const Actor& actor) {
  if (JsonId(told, "owner/id") == actor.id) return Role::kAdmin;
  SWAGE_ASSIGN_OR_RETURN(const bool writes,
                         MayWriteToAPersons(api, repo, JsonString(told, "owner/login"), actor));
  if (writes) return Role::kWrite;
  // 204: a collaborator, of whatever rank.
  const auto listed =
      api.rest().Get(RepoPath(repo, "/collaborators/" + PercentEncode(actor.login)));
  if (listed.ok()) return Role::kRead;
  const ErrorCode code = listed.error().code;
  // An unknown name is a 422 here.
  const bool refused =
      code == ErrorCode::kNotFound || code == ErrorCode::kInvalid || code == ErrorCode::kDenied;
  return refused ? Result<Role>(Role::kNone) : listed.error();
}

}  // namespace

Result<Role> GetRole(Api& api, const RepoRef& repo, const Actor& actor) {
  if (actor.login.empty() || actor.id.empty()) return Role::kNone;
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  if (actor.id != self.id) {
    SWAGE_ASSIGN_OR_RETURN(const auto role, AskedAsAdmin(api, repo, actor));
    if (role) return *role;
  }
  SWAGE_ASSIGN_OR_RETURN(const json told, api.rest().Get(RepoPath(repo, "")));
  if (actor.id == self.id) return OwnRole(told);
  return AskedAsWriter(api, repo, told, actor);
}

}  // namespace swage::gitea
