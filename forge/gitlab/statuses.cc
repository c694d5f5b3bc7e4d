#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/gitlab/api.h"
#include "forge/rest_reply.h"

namespace swage::gitlab {
namespace {

using nlohmann::json;

// No neutral here either; it must not fail the pipeline.
std::string_view StateName(StatusState state) {
  switch (state) {
    case StatusState::kPending:
      return "pending";
    case StatusState::kSuccess:
    case StatusState::kNeutral:
      return "success";
    case StatusState::kFailure:
      return "failed";
  }
  return "pending";
}

Result<bool> IsPosted(Api& api, const RepoRef& repo, const CommitStatus& status,
                      const json& wanted) {
  const std::string path =
      ProjectPath(repo, "/repository/commits/" + PercentEncode(status.sha.value) +
                            "/statuses?name=" + PercentEncode(status.context));
  bool same = false;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(path, [&](const json& posted) {
    if (JsonString(posted, "name") != status.context) return true;
    same = JsonString(posted, "status") == wanted["state"] &&
           JsonString(posted, "description") == wanted["description"];
    return false;
  }));
  return same;
}

}  // namespace

Result<void> EnsureStatus(Api& api, const RepoRef& repo, const CommitStatus& status) {
  json wanted = {
      {"state", StateName(status.state)},
      {"name", status.context},
      {"description", Truncate(status.description, api.limits().status_description_bytes)}};
  if (!status.target_url.empty()) wanted["target_url"] = status.target_url;
  SWAGE_ASSIGN_OR_RETURN(const bool posted, IsPosted(api, repo, status, wanted));
  if (posted) return Ok();
  const HttpRequest request{"POST",
                            ProjectPath(repo, "/statuses/" + PercentEncode(status.sha.value)),
                            DumpJson(wanted), false};
  SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, api.rest().Exchange(request));
  if (reply.ok()) return Ok();
  // The state machine of a job refuses to enter the state that it is in.
  if (RefusalText(reply.body).find("Cannot transition status") != std::string::npos) return Ok();
  Error error = StatusError(request, reply.status, reply.body);
  if (reply.status == 409) error.code = ErrorCode::kUnavailable;  // another writer holds the lock
  return error;
}

}  // namespace swage::gitlab
