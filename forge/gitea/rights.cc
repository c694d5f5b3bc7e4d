// What the bot's account lacks in the repositories that it is to work on.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "config/repo_allow.h"
#include "forge/gitea/api.h"
#include "forge/paging.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

constexpr int kMaxPages = 20;  // of fifty
constexpr std::size_t kMaxTold = 50;

Result<bool> OwnedByOrganisation(Api& api, const json& repo) {
  const auto found = api.rest().Get("/orgs/" + PercentEncode(JsonString(repo, "owner/login")));
  if (found.ok()) return true;
  if (found.error().code == ErrorCode::kNotFound) return false;
  return found.error();
}

/// Empty: nothing is wanting there.
Result<std::string> GapIn(Api& api, const json& repo) {
  const std::string path = JsonString(repo, "full_name");
  if (!JsonBool(repo, "permissions/push")) {
    return fmt::format("{}: the account may not write there; make it a collaborator who may", path);
  }
  if (JsonBool(repo, "permissions/admin")) return std::string();
  SWAGE_ASSIGN_OR_RETURN(const bool organisation, OwnedByOrganisation(api, repo));
  if (!organisation) return std::string();
  return fmt::format(
      "{}: only an administrator of an organisation's repository is told who may write there, so "
      "nobody's word counts; make the account one",
      path);
}

}  // namespace

Result<std::vector<std::string>> FindMissingRights(Api& api) {
  std::vector<std::string> gaps;
  std::optional<Error> failed;
  SWAGE_RETURN_IF_ERROR(ReadPages(api.rest(), "/user/repos", "", kMaxPages, [&](const json& repo) {
    if (!IsRepoAllowed(api.settings().repos, JsonString(repo, "full_name"))) return true;
    Result<std::string> gap = GapIn(api, repo);
    if (!gap.ok()) failed = gap.error();
    if (gap.ok() && !gap->empty()) gaps.push_back(std::move(*gap));
    return !failed && gaps.size() < kMaxTold;
  }));
  if (failed) return *failed;
  return gaps;
}

}  // namespace swage::gitea
