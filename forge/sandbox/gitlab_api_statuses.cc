// GitLab REST v4: commit statuses and the small state machine behind them.
#include <algorithm>
#include <array>

#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox::gitlab {
namespace {

struct Transition {
  std::string_view state;
  std::string_view event;  ///< GitLab's name for the move into the state
};
constexpr std::array<Transition, 6> kStates = {{{"pending", "enqueue"},
                                                {"running", "run"},
                                                {"success", "success"},
                                                {"failed", "drop"},
                                                {"canceled", "cancel"},
                                                {"skipped", "skip"}}};

bool IsRunning(std::string_view state) {
  return state == "pending" || state == "running";
}

/// The newest status of a name on a commit.
Status* Latest(Repo& repo, std::string_view sha, std::string_view name) {
  Status* latest = nullptr;
  for (Status& status : repo.statuses) {
    if (status.sha == sha && status.context == name) latest = &status;
  }
  return latest;
}

/// GitLab moves a status that still runs, and starts another one after one that has ended. Only a
/// running one can refuse: it cannot go back, nor to where it is.
Result<void> CheckMove(const Status* latest, const Transition& to) {
  if (latest == nullptr || !IsRunning(latest->state)) return Ok();
  const bool backwards = to.state == "pending" || to.state == latest->state;
  if (!backwards) return Ok();
  const std::string event(to.event);
  return Bad("Cannot transition status via :" + event + " from :" + latest->state +
             " (Reason(s): Status cannot transition via \"" + event + "\")");
}

Result<Reply> CreateStatus(Ctx& ctx) {
  const auto sha = ResolveCommit(ctx.repo.git_dir, ctx.call.Param("sha"));
  if (!sha.ok()) return NotFound("Commit");
  const std::string state = ctx.params.Str("state", ctx.params.Str("status"));
  const auto* to = std::find_if(kStates.begin(), kStates.end(),
                                [&](const Transition& t) { return t.state == state; });
  if (to == kStates.end()) return Bad("state does not have a valid value");
  Status status;
  status.sha = *sha;
  status.context = ctx.params.Str("name", ctx.params.Str("context", "default"));
  status.state = state;
  status.description = ctx.params.Str("description");
  status.target_url = ctx.params.Str("target_url");
  status.ref = ctx.params.Str("ref");
  if (status.description.size() > kMaxStatusDescription) {
    return Bad("description is too long (maximum is 255 characters)");
  }
  Status* latest = Latest(ctx.repo, *sha, status.context);
  SWAGE_RETURN_IF_ERROR(CheckMove(latest, *to));
  const Status& added = ctx.world.AddStatus(ctx.repo, ctx.Actor(), std::move(status));
  return Reply::Json(201, StatusJson(ctx.world, ctx.repo, added, ctx.call.base));
}

Result<Reply> ListStatuses(Ctx& ctx) {
  const auto sha = ResolveCommit(ctx.repo.git_dir, ctx.call.Param("sha"));
  if (!sha.ok()) return NotFound("Commit");
  const bool all = ctx.params.Bool("all");
  const std::string name = ctx.params.Str("name");
  Json statuses = Json::array();
  for (const Status& status : ctx.repo.statuses) {
    if (status.sha != *sha || (!name.empty() && status.context != name)) continue;
    if (!all && Latest(ctx.repo, *sha, status.context) != &status) continue;
    statuses.push_back(StatusJson(ctx.world, ctx.repo, status, ctx.call.base));
  }
  return Page(ctx, statuses);
}

}  // namespace

void MountStatuses(Router& router) {
  AddProjectRoute(router, "POST", "/statuses/{sha}", Need::kDeveloper, CreateStatus);
  AddProjectRoute(router, "GET", "/repository/commits/{sha}/statuses", Need::kPublic, ListStatuses);
}

}  // namespace swage::sandbox::gitlab
