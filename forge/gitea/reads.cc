#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/gitea/api.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

// Organisations answer under the address of accounts too, with nothing that tells them apart.
Result<bool> IsOrganisation(Api& api, std::string_view login) {
  const auto found = api.rest().Get("/orgs/" + PercentEncode(login));
  if (found.ok()) return true;
  if (found.error().code == ErrorCode::kNotFound) return false;
  return found.error();
}

}  // namespace

Result<Repo> GetRepo(Api& api, std::string_view path) {
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().Get("/repos/" + EncodeSegments(path)));
  return ReadRepo(api, j);
}

Result<Issue> GetIssue(Api& api, const RepoRef& repo, std::int64_t number) {
  const std::string path = RepoPath(repo, "/issues/" + std::to_string(number));
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().GetSettled(path));
  if (JsonAt(j, "pull_request").is_object()) {
    return MakeError(ErrorCode::kNotFound, "GET " + path + ": a pull request, not an issue");
  }
  return ReadIssue(j);
}

Result<Actor> FindAccount(Api& api, std::string_view login) {
  const std::string path = "/users/" + PercentEncode(login);
  // Nobody's name, and a path of its own to whatever tidies paths up.
  if (login.find_first_not_of('.') == login.npos) return MakeError(ErrorCode::kNotFound, path);
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().Get(path));
  Actor actor = ReadUser(j);
  bool person = !actor.id.empty();
  if (person) {
    SWAGE_ASSIGN_OR_RETURN(const bool organisation, IsOrganisation(api, actor.login));
    person = !organisation;
  }
  if (!person) return MakeError(ErrorCode::kNotFound, "GET " + path + ": no account of a person");
  api.LearnNoReplyHost(j);
  return actor;
}

}  // namespace swage::gitea
