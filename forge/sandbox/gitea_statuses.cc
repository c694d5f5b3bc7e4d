// Commit statuses: every post adds a row; there are no check runs.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "forge/sandbox/gitea_api.h"
#include "forge/sandbox/gitea_paging.h"

namespace swage::sandbox::gitea {
namespace {

constexpr std::array<std::string_view, 5> kStates = {"pending", "success", "error", "failure",
                                                     "warning"};

Reply CreateStatus(const RepoCall& in) {
  Status status;
  const auto sha = ResolveCommit(in.repo.git_dir, in.call.Param("sha"));
  if (!sha.ok()) return NotFound();
  status.sha = *sha;
  status.state = JsonString(in.call.body, "state");
  if (std::ranges::find(kStates, status.state) == kStates.end()) {
    return Refuse(400, "unknown state");
  }
  status.context = JsonString(in.call.body, "context", "default");
  status.description = JsonString(in.call.body, "description");
  status.target_url = JsonString(in.call.body, "target_url");
  const Status& added = in.world.AddStatus(in.repo, in.Actor(), std::move(status));
  return Reply::Json(201, in.objects.StatusObject(in.repo, added));
}

/// The newest first.
Reply ListStatuses(const RepoCall& in) {
  const auto sha = ResolveCommit(in.repo.git_dir, in.call.Param("sha"));
  if (!sha.ok()) return NotFound();
  std::vector<const Status*> found;
  for (const Status& status : in.repo.statuses) {
    if (status.sha == *sha) found.push_back(&status);
  }
  std::ranges::reverse(found);
  return Paged(in.call, found,
               [&](const Status* status) { return in.objects.StatusObject(in.repo, *status); });
}

}  // namespace

void MountStatuses(Router& router) {
  const std::string repo = std::string(kApiRoot) + "/repos/{owner}/{repo}";
  router.Add("POST", repo + "/statuses/{sha}", InRepo(Needs::kWrite, CreateStatus));
  router.Add("GET", repo + "/statuses/{sha}", InRepo(Needs::kSight, ListStatuses));
  router.Add("GET", repo + "/commits/{sha}/statuses", InRepo(Needs::kSight, ListStatuses));
}

}  // namespace swage::sandbox::gitea
