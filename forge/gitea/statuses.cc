#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/gitea/api.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

// No neutral here either ("warning" counts as a failure); it must not block a merge.
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

// Posting again only adds a row of the same context; so look first.
Result<void> EnsureStatus(Api& api, const RepoRef& repo, const CommitStatus& status) {
  json wanted = {
      {"state", StateName(status.state)},
      {"context", status.context},
      {"description", Truncate(status.description, api.limits().status_description_bytes)}};
  if (!status.target_url.empty()) wanted["target_url"] = status.target_url;
  const std::string path = RepoPath(repo, "/statuses/" + PercentEncode(status.sha.value));
  bool same = false;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(path + "?sort=highestindex", [&](const json& posted) {
    if (JsonString(posted, "context") != status.context) return true;
    // What is posted as "state" is read as "status".
    same = JsonString(posted, "status") == wanted["state"] &&
           JsonString(posted, "description") == wanted["description"] &&
           JsonString(posted, "target_url") == status.target_url;
    return false;  // the newest comes first
  }));
  if (same) return Ok();
  SWAGE_RETURN_IF_ERROR(api.rest().Write("POST", path, wanted));
  return Ok();
}

}  // namespace swage::gitea
