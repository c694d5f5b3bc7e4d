// GitLab REST v4: approving and merging a merge request.
#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox::gitlab {
namespace {

std::string MergeMessage(const Repo& repo, const Pull& pull) {
  return "Merge branch '" + pull.head_ref + "' into '" + pull.base_ref + "'\n\n" + pull.title +
         "\n\nSee merge request " + repo.Path() + "!" + std::to_string(pull.number);
}

Result<Reply> Merge(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(Pull * pull, PullOf(ctx));
  if (!ctx.AtLeast(Role::kWrite)) return MakeError(ErrorCode::kUnauthenticated, "401 Unauthorized");
  if (!pull->open || pull->draft) return Refuse(405, "405 Method Not Allowed");
  if (!ctx.world.IsMergeable(ctx.repo, *pull)) return Refuse(422, "Branch cannot be merged");
  const std::string sha = ctx.params.Str("sha");
  if (!sha.empty() && sha != pull->head_sha) {
    return MakeError(ErrorCode::kConflict, "SHA does not match HEAD of source branch");
  }
  if (ctx.params.Bool("should_remove_source_branch")) pull->remove_source_branch = true;
  const std::string message = ctx.params.Str("merge_commit_message", MergeMessage(ctx.repo, *pull));
  const bool squash = ctx.params.Bool("squash");
  const auto merged =
      ctx.world.MergePull(ctx.repo, ctx.Actor(), *pull, sha, message, squash ? "squash" : "merge");
  if (!merged.ok()) return Refuse(422, "Branch cannot be merged");
  return Reply::Json(200, PullJson(ctx.world, ctx.repo, *pull, ctx.call.base));
}

Json ApprovalsJson(const Ctx& ctx, const Pull& pull) {
  Json approved_by = Json::array();
  for (const Id id : pull.approvals) {
    approved_by.push_back({{"user", UserJson(ctx.world.UserOf(id), ctx.call.base)},
                           {"approved_at", IsoTime(pull.updated_at)}});
  }
  const bool mine = ctx.call.actor && pull.approvals.contains(ctx.call.actor->id);
  return {{"user_has_approved", mine},
          {"user_can_approve", ctx.AtLeast(Role::kWrite) && !mine},
          {"approved", !pull.approvals.empty()},
          {"approved_by", approved_by}};
}

Result<Reply> Approve(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(Pull * pull, PullOf(ctx));
  const std::string sha = ctx.params.Str("sha");
  if (!sha.empty() && sha != pull->head_sha) {
    return MakeError(ErrorCode::kConflict, "SHA does not match HEAD of source branch");
  }
  // Approving twice, and approving one's own work, are refused with 401.
  if (pull->author == ctx.Actor().id || !pull->approvals.insert(ctx.Actor().id).second) {
    return MakeError(ErrorCode::kUnauthenticated, "401 Unauthorized");
  }
  ctx.world.AddReview(ctx.repo, ctx.Actor(), *pull, "APPROVED", "", pull->head_sha);
  return Reply::Json(201, ApprovalsJson(ctx, *pull));
}

Result<Reply> Unapprove(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(Pull * pull, PullOf(ctx));
  if (pull->approvals.erase(ctx.Actor().id) == 0)
    return MakeError(ErrorCode::kNotFound, "404 Not found");
  return Reply::Json(201, ApprovalsJson(ctx, *pull));
}

Result<Reply> Approvals(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
  return Reply::Json(200, ApprovalsJson(ctx, *pull));
}

}  // namespace

void MountMerge(Router& router) {
  AddProjectRoute(router, "PUT", "/merge_requests/{iid}/merge", Need::kUser, Merge);
  AddProjectRoute(router, "GET", "/merge_requests/{iid}/approvals", Need::kPublic, Approvals);
  AddProjectRoute(router, "POST", "/merge_requests/{iid}/approve", Need::kDeveloper, Approve);
  AddProjectRoute(router, "POST", "/merge_requests/{iid}/unapprove", Need::kDeveloper, Unapprove);
}

}  // namespace swage::sandbox::gitlab
