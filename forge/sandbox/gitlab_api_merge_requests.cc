// GitLab REST v4: merge requests, their versions, diffs and commits.
#include <algorithm>
#include <map>
#include <memory>

#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"
#include "forge/sandbox/quick_actions.h"

namespace swage::sandbox::gitlab {
namespace {

/// GitLab computes diff_refs after it has answered the creation: clients must bear null and ask
/// again.
constexpr int kFetchesWithoutDiffRefs = 1;

/// How often each merge request has been fetched since it was opened.
using Fetches = std::map<Id, int>;

Reply PullReply(const Ctx& ctx, int status, const Pull& pull) {
  return Reply::Json(status, PullJson(ctx.world, ctx.repo, pull, ctx.call.base));
}

Result<Reply> ListPulls(Ctx& ctx) {
  const std::string state = ctx.params.Str("state");
  const std::string source = ctx.params.Str("source_branch");
  const std::string target = ctx.params.Str("target_branch");
  Json pulls = Json::array();
  for (const Pull* const at : Ordered(ctx, ctx.repo.pulls)) {
    const Pull& pull = *at;
    const std::string_view is = pull.merged ? "merged" : pull.open ? "opened" : "closed";
    if (!state.empty() && state != "all" && state != is) continue;
    if (!source.empty() && source != pull.head_ref) continue;
    if (!target.empty() && target != pull.base_ref) continue;
    Json json = PullJson(ctx.world, ctx.repo, pull, ctx.call.base);
    // Only the single resource carries these.
    for (const char* key : {"diff_refs", "changes_count", "user", "subscribed", "merge_error"})
      json.erase(key);
    pulls.push_back(std::move(json));
  }
  return Page(ctx, pulls);
}

Result<Reply> GetPull(Ctx& ctx, Fetches& fetches) {
  SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
  Json json = PullJson(ctx.world, ctx.repo, *pull, ctx.call.base);
  if (fetches[pull->id]++ < kFetchesWithoutDiffRefs) json["diff_refs"] = nullptr;
  return Reply::Json(200, json);
}

Result<Reply> CreatePull(Ctx& ctx) {
  NewPull draft;
  draft.head_ref = ctx.params.Str("source_branch");
  draft.base_ref = ctx.params.Str("target_branch");
  draft.title = Trim(ctx.params.Str("title"));
  draft.remove_source_branch = ctx.params.Bool("remove_source_branch");
  for (const auto& [name, value] : {std::pair{"source_branch", &draft.head_ref},
                                    {"target_branch", &draft.base_ref},
                                    {"title", &draft.title}}) {
    if (value->empty()) return Bad(std::string(name) + " is missing");
  }
  if (draft.title.size() > kMaxTitle) return Bad("Title is too long (maximum is 255 characters)");
  draft.draft = TakeDraftPrefix(draft.title);
  const ActionText text = TakeQuickActions(ctx.params.Str("description"));
  draft.body = text.text;
  if (const Pull* open = ctx.world.FindOpenPull(ctx.repo, draft.head_ref)) {
    const std::string sentence =
        "Another open merge request already exists for this source branch: !" +
        std::to_string(open->number);
    return Refuse(409, Json::array({sentence}));
  }
  auto pull = ctx.world.OpenPull(ctx.repo, ctx.Actor(), draft);
  // GitLab opens a merge request without commits; the sandbox refuses it, as nothing could be
  // reviewed.
  if (!pull.ok()) return Refuse(400, Json::array({pull.error().message}));
  if (const auto labels = ctx.params.List("labels"); !labels.empty()) {
    ctx.world.SetLabels(ctx.repo, ctx.Actor(), **pull, labels);
  }
  RunQuickActions(ctx.world, ctx.repo, ctx.Actor(), **pull, *pull, text.actions);
  Json json = PullJson(ctx.world, ctx.repo, **pull, ctx.call.base);
  json["diff_refs"] = nullptr;
  return Reply::Json(201, json);
}

Result<Reply> EditPull(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(Pull * pull, PullOf(ctx));
  if (!ctx.AtLeast(Role::kWrite) && pull->author != ctx.Actor().id) {
    return MakeError(ErrorCode::kDenied, "403 Forbidden");
  }
  IssueChange change;
  ActionText text;
  if (ctx.params.Has("title")) {
    std::string title(Trim(ctx.params.Str("title")));
    if (title.empty() || title.size() > kMaxTitle) return Bad("title is invalid");
    change.draft = TakeDraftPrefix(title);
    change.title = std::move(title);
  }
  if (ctx.params.Has("description")) {
    text = TakeQuickActions(ctx.params.Str("description"));
    change.body = text.text;
  }
  if (ctx.params.Has("labels")) change.labels = ctx.params.List("labels");
  if (ctx.params.Has("target_branch")) change.base_ref = ctx.params.Str("target_branch");
  const std::string event = ctx.params.Str("state_event");
  if (!event.empty() && pull->merged) return Bad("State event is invalid");
  if (event == "close") change.open = false;
  if (event == "reopen") change.open = true;
  if (ctx.params.Has("remove_source_branch")) {
    pull->remove_source_branch = ctx.params.Bool("remove_source_branch");
  }
  ctx.world.Update(ctx.repo, ctx.Actor(), *pull, change);
  RunQuickActions(ctx.world, ctx.repo, ctx.Actor(), *pull, pull, text.actions);
  return PullReply(ctx, 200, *pull);
}

// --- versions, diffs, commits ------------------------------------------------------------------

Result<std::vector<FileDiff>> FilesOf(const Ctx& ctx, const Pull& pull) {
  return DiffOf(ctx.repo.git_dir, pull.base_sha, pull.head_sha);
}

/// The sandbox keeps the newest version only; its id follows from its head, so that it is stable.
Json VersionJson(const Ctx& ctx, const Pull& pull, std::size_t files) {
  const DiffRefs refs = RefsOf(ctx.repo, pull);
  return {{"id", pull.id * 10'000 + std::stoll(pull.head_sha.substr(0, 3), nullptr, 16)},
          {"head_commit_sha", refs.head_sha},
          {"base_commit_sha", refs.base_sha},
          {"start_commit_sha", refs.start_sha},
          {"created_at", IsoTime(pull.updated_at)},
          {"merge_request_id", pull.id},
          {"state", "collected"},
          {"real_size", std::to_string(files)},
          {"patch_id_sha", pull.head_sha}};
}

Result<Reply> ListVersions(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
  SWAGE_ASSIGN_OR_RETURN(const auto files, FilesOf(ctx, *pull));
  return Page(ctx, Json::array({VersionJson(ctx, *pull, files.size())}));
}

/// Each reviewer once, as of the last review.
Result<Reply> ListReviewers(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
  std::map<Id, const Review*> last;
  for (const Review& review : pull->reviews) last[review.author] = &review;
  Json all = Json::array();
  for (const auto& [author, review] : last) {
    all.push_back({{"user", UserJson(ctx.world.UserOf(author), ctx.call.base)},
                   {"state", review->state == "CHANGES_REQUESTED" ? "requested_changes"
                             : review->state == "APPROVED"        ? "approved"
                                                                  : "reviewed"},
                   {"created_at", IsoTime(review->submitted_at)}});
  }
  return Page(ctx, all);
}

/// One version also carries its commits and diffs.
Result<Reply> GetVersion(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
  SWAGE_ASSIGN_OR_RETURN(const auto files, FilesOf(ctx, *pull));
  Json version = VersionJson(ctx, *pull, files.size());
  if (version["id"] != ctx.call.Number("version")) return NotFound("Version");
  SWAGE_ASSIGN_OR_RETURN(auto commits,
                         CommitsBetween(ctx.repo.git_dir, pull->base_sha, pull->head_sha));
  version["commits"] = Json::array();
  for (const CommitInfo& commit : commits) {
    version["commits"].push_back(CommitJson(ctx.repo, commit, ctx.call.base));
  }
  version["diffs"] = Json::array();
  for (const FileDiff& file : files) version["diffs"].push_back(DiffJson(file));
  return Reply::Json(200, version);
}

Result<Reply> ListDiffs(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
  SWAGE_ASSIGN_OR_RETURN(const auto files, FilesOf(ctx, *pull));
  Json diffs = Json::array();
  for (const FileDiff& file : files) diffs.push_back(DiffJson(file));
  return Page(ctx, diffs);
}

Result<Reply> GetChanges(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
  SWAGE_ASSIGN_OR_RETURN(const auto files, FilesOf(ctx, *pull));
  Json json = PullJson(ctx.world, ctx.repo, *pull, ctx.call.base);
  json["changes"] = Json::array();
  for (const FileDiff& file : files) json["changes"].push_back(DiffJson(file));
  json["overflow"] = false;
  json["changes_count"] = std::to_string(files.size());
  return Reply::Json(200, json);
}

Result<Reply> ListCommits(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
  SWAGE_ASSIGN_OR_RETURN(auto commits,
                         CommitsBetween(ctx.repo.git_dir, pull->base_sha, pull->head_sha));
  std::reverse(commits.begin(), commits.end());  // GitLab lists the newest first
  Json all = Json::array();
  for (const CommitInfo& commit : commits)
    all.push_back(CommitJson(ctx.repo, commit, ctx.call.base));
  return Page(ctx, all);
}

}  // namespace

void MountMergeRequests(Router& router) {
  const auto fetches =
      std::make_shared<Fetches>();  // guarded by the world's lock, as every handler
  AddProjectRoute(router, "GET", "/merge_requests", Need::kPublic, ListPulls);
  AddProjectRoute(router, "POST", "/merge_requests", Need::kDeveloper, CreatePull);
  AddProjectRoute(router, "GET", "/merge_requests/{iid}", Need::kPublic,
                  [fetches](Ctx& ctx) { return GetPull(ctx, *fetches); });
  AddProjectRoute(router, "PUT", "/merge_requests/{iid}", Need::kUser, EditPull);
  AddProjectRoute(router, "GET", "/merge_requests/{iid}/reviewers", Need::kPublic, ListReviewers);
  AddProjectRoute(router, "GET", "/merge_requests/{iid}/versions", Need::kPublic, ListVersions);
  AddProjectRoute(router, "GET", "/merge_requests/{iid}/versions/{version}", Need::kPublic,
                  GetVersion);
  AddProjectRoute(router, "GET", "/merge_requests/{iid}/diffs", Need::kPublic, ListDiffs);
  AddProjectRoute(router, "GET", "/merge_requests/{iid}/changes", Need::kPublic, GetChanges);
  AddProjectRoute(router, "GET", "/merge_requests/{iid}/commits", Need::kPublic, ListCommits);
}

}  // namespace swage::sandbox::gitlab
