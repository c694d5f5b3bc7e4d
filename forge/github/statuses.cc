#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/github/api.h"

namespace swage::github {
namespace {

using nlohmann::json;

// Statuses know no neutral; it must not block a merge.
std::string_view StateName(StatusState state) {
  switch (state) {
    case StatusState::kPending:
      return "pending";
    case StatusState::kSuccess:
    case StatusState::kNeutral:
      return "success";
    case StatusState::kFailure:
      return "failure";
  }
  return "pending";
}

}  // namespace

// Posting again only adds a row of the same context, of which a commit takes 1,000; so look first.
Result<void> EnsureStatus(Api& api, const RepoRef& repo, const CommitStatus& status) {
  json wanted = {
      {"state", StateName(status.state)},
      {"context", status.context},
      {"description", Truncate(status.description, api.limits().status_description_bytes)}};
  if (!status.target_url.empty()) wanted["target_url"] = status.target_url;
  const std::string sha = PercentEncode(status.sha.value);
  bool newest_seen = false;
  bool same = false;
  SWAGE_RETURN_IF_ERROR(
      api.rest().ForEach(RepoPath(repo, "/commits/" + sha + "/statuses"), [&](const json& posted) {
        if (JsonString(posted, "context") != status.context) return true;
        newest_seen = true;  // the list is newest first
        same = JsonString(posted, "state") == wanted["state"] &&
               JsonString(posted, "description") == wanted["description"] &&
               JsonString(posted, "target_url") == status.target_url;
        return false;
      }));
  if (newest_seen && same) return Ok();
  SWAGE_RETURN_IF_ERROR(api.rest().Write("POST", RepoPath(repo, "/statuses/" + sha), wanted));
  return Ok();
}

}  // namespace swage::github
