// GitLab REST v4: issues, and the emoji on everything.
#include <algorithm>

#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"
#include "forge/sandbox/quick_actions.h"

namespace swage::sandbox::gitlab {
namespace {

Result<Reply> ListIssues(Ctx& ctx) {
  const std::string state = ctx.params.Str("state");
  const std::vector<std::string> wanted = ctx.params.List("labels");
  Json issues = Json::array();
  for (const Issue* const at : Ordered(ctx, ctx.repo.issues)) {
    const Issue& issue = *at;
    if (state == "opened" && !issue.open) continue;
    if (state == "closed" && issue.open) continue;
    const bool has_all = std::all_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
      return std::find(issue.labels.begin(), issue.labels.end(), name) != issue.labels.end();
    });
    if (has_all) issues.push_back(IssueJson(ctx.world, ctx.repo, issue, ctx.call.base));
  }
  return Page(ctx, issues);
}

Result<Reply> GetIssue(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Issue* issue, IssueOf(ctx));
  return Reply::Json(200, IssueJson(ctx.world, ctx.repo, *issue, ctx.call.base));
}

/// Nothing when assignee_ids is not given, or by somebody who may not assign.
std::optional<std::vector<Id>> NewAssignees(const Ctx& ctx) {
  const Params& params = ctx.params;
  const bool given = params.Has("assignee_ids") || params.Has("assignee_ids[]");
  if (!given || !ctx.AtLeast(Role::kTriage)) return std::nullopt;
  std::vector<Id> ids;
  for (const std::string& text : params.List("assignee_ids")) {
    const auto id = ParseInt(text);
    if (id && ctx.world.FindUser(Id{*id}) != nullptr) ids.push_back(*id);
  }
  return ids;
}

Result<Reply> CreateIssue(Ctx& ctx) {
  const std::string title(Trim(ctx.params.Str("title")));
  if (title.empty()) return Bad("title is missing");
  if (title.size() > kMaxTitle) return Bad("Title is too long (maximum is 255 characters)");
  const ActionText text = TakeQuickActions(ctx.params.Str("description"));
  const std::vector<std::string> labels =
      ctx.AtLeast(Role::kTriage) ? ctx.params.List("labels") : std::vector<std::string>();
  const std::vector<Id> assignees = NewAssignees(ctx).value_or(std::vector<Id>());
  Issue& issue = ctx.world.OpenIssue(ctx.repo, ctx.Actor(), title, text.text, labels, assignees);
  RunQuickActions(ctx.world, ctx.repo, ctx.Actor(), issue, nullptr, text.actions);
  return Reply::Json(201, IssueJson(ctx.world, ctx.repo, issue, ctx.call.base));
}

/// The labels after labels, add_labels and remove_labels; nothing when none of them is given.
std::optional<std::vector<std::string>> NewLabels(const Ctx& ctx, const Issue& issue) {
  const Params& params = ctx.params;
  const bool given = params.Has("labels") || params.Has("add_labels") ||
                     params.Has("add_labels[]") || params.Has("remove_labels") ||
                     params.Has("remove_labels[]");
  if (!given || !ctx.AtLeast(Role::kTriage)) return std::nullopt;
  std::vector<std::string> labels = params.Has("labels") ? params.List("labels") : issue.labels;
  for (std::string& name : params.List("add_labels")) {
    if (std::find(labels.begin(), labels.end(), name) == labels.end())
      labels.push_back(std::move(name));
  }
  for (const std::string& name : params.List("remove_labels")) std::erase(labels, name);
  return labels;
}

Result<Reply> EditIssue(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(Issue * issue, IssueOf(ctx));
  if (!ctx.AtLeast(Role::kTriage) && issue->author != ctx.Actor().id) {
    return MakeError(ErrorCode::kDenied, "403 Forbidden");
  }
  IssueChange change;
  ActionText text;
  if (ctx.params.Has("title")) change.title = ctx.params.Str("title");
  if (ctx.params.Has("description")) {
    text = TakeQuickActions(ctx.params.Str("description"));
    change.body = text.text;
  }
  if (ctx.params.Str("state_event") == "close") change.open = false;
  if (ctx.params.Str("state_event") == "reopen") change.open = true;
  change.labels = NewLabels(ctx, *issue);
  change.assignees = NewAssignees(ctx);
  ctx.world.Update(ctx.repo, ctx.Actor(), *issue, change);
  RunQuickActions(ctx.world, ctx.repo, ctx.Actor(), *issue, nullptr, text.actions);
  return Reply::Json(200, IssueJson(ctx.world, ctx.repo, *issue, ctx.call.base));
}

// Deleting needs the owner or an administrator; moving, the right to report in both projects.
Result<Reply> DeleteIssue(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Issue* issue, IssueOf(ctx));
  if (!ctx.AtLeast(Role::kAdmin)) return MakeError(ErrorCode::kDenied, "403 Forbidden");
  ctx.world.DeleteIssue(ctx.repo, ctx.Actor(), issue->number);
  return Reply::Empty(204);
}

Result<Reply> MoveIssue(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(Issue * issue, IssueOf(ctx));
  Repo* const target = ctx.world.FindRepo(ctx.params.Int("to_project_id"));
  if (target == nullptr) return NotFound("Project");
  if (target == &ctx.repo) return Bad("Cannot move issue to project it originates from!");
  const bool may = ctx.AtLeast(Role::kTriage) && issue->moved_to == 0 &&
                   ctx.world.RoleOf(*target, &ctx.Actor()) >= Role::kTriage;
  if (!may) return Bad("Cannot move issue due to insufficient permissions!");
  const Issue& moved = ctx.world.MoveIssue(ctx.repo, ctx.Actor(), *issue, *target);
  return Reply::Json(201, IssueJson(ctx.world, *target, moved, ctx.call.base));
}

// --- award emoji -------------------------------------------------------------------------------

struct Awardable {
  std::vector<Award>* awards = nullptr;
  const Issue* on = nullptr;
  const char* type = "Issue";
};

/// What the path names: an issue, a merge request, or a note of either.
Result<Awardable> AwardableOf(Ctx& ctx, bool on_pull) {
  Issue* issue = nullptr;
  if (on_pull) {
    SWAGE_ASSIGN_OR_RETURN(issue, PullOf(ctx));
  } else {
    SWAGE_ASSIGN_OR_RETURN(issue, IssueOf(ctx));
  }
  if (!ctx.call.params.contains("note_id")) {
    return Awardable{&issue->awards, issue, on_pull ? "MergeRequest" : "Issue"};
  }
  const Id id = ctx.call.Number("note_id");
  if (const auto at = ctx.world.FindNote(ctx.repo, id); at.note && at.issue == issue) {
    return Awardable{&at.note->awards, issue, "Note"};
  }
  if (const auto at = ctx.world.FindDiffNote(ctx.repo, id); at.note && at.pull == issue) {
    return Awardable{&at.note->awards, issue, "Note"};
  }
  return NotFound("Note");
}

Result<Reply> ListAwards(Ctx& ctx, bool on_pull) {
  SWAGE_ASSIGN_OR_RETURN(const Awardable at, AwardableOf(ctx, on_pull));
  Json awards = Json::array();
  for (const Award& award : *at.awards) {
    awards.push_back(AwardJson(ctx.world, award, *at.on, at.type, ctx.call.base));
  }
  return Page(ctx, awards);
}

Result<Reply> GiveAward(Ctx& ctx, bool on_pull) {
  SWAGE_ASSIGN_OR_RETURN(const Awardable at, AwardableOf(ctx, on_pull));
  const std::string name = ctx.params.Str("name");
  if (name.empty()) return Bad("name is missing");
  const auto [award, fresh] = ctx.world.AddAward(*at.awards, ctx.Actor(), name);
  // GitLab answers 404, of all things, to an emoji that is there already.
  if (!fresh) {
    return MakeError(ErrorCode::kNotFound, "404 Award Emoji Name has already been taken Not Found");
  }
  return Reply::Json(201, AwardJson(ctx.world, *award, *at.on, at.type, ctx.call.base));
}

Result<Reply> TakeAward(Ctx& ctx, bool on_pull) {
  SWAGE_ASSIGN_OR_RETURN(const Awardable at, AwardableOf(ctx, on_pull));
  const Id id = ctx.call.Number("award_id");
  const auto mine = [&](const Award& a) { return a.id == id && a.user == ctx.Actor().id; };
  if (std::erase_if(*at.awards, mine) == 0) return NotFound("Award Emoji");
  return Reply::Empty(204);
}

}  // namespace

void MountIssues(Router& router) {
  AddProjectRoute(router, "GET", "/issues", Need::kPublic, ListIssues);
  AddProjectRoute(router, "POST", "/issues", Need::kUser, CreateIssue);
  AddProjectRoute(router, "GET", "/issues/{iid}", Need::kPublic, GetIssue);
  AddProjectRoute(router, "PUT", "/issues/{iid}", Need::kUser, EditIssue);
  AddProjectRoute(router, "DELETE", "/issues/{iid}", Need::kUser, DeleteIssue);
  AddProjectRoute(router, "POST", "/issues/{iid}/move", Need::kUser, MoveIssue);
}

void MountAwards(Router& router) {
  for (const bool on_pull : {false, true}) {
    const std::string thread = on_pull ? "/merge_requests/{iid}" : "/issues/{iid}";
    for (const std::string& on : {thread, thread + "/notes/{note_id}"}) {
      AddProjectRoute(router, "GET", on + "/award_emoji", Need::kPublic,
                      [on_pull](Ctx& ctx) { return ListAwards(ctx, on_pull); });
      AddProjectRoute(router, "POST", on + "/award_emoji", Need::kUser,
                      [on_pull](Ctx& ctx) { return GiveAward(ctx, on_pull); });
      AddProjectRoute(router, "DELETE", on + "/award_emoji/{award_id}", Need::kUser,
                      [on_pull](Ctx& ctx) { return TakeAward(ctx, on_pull); });
    }
  }
}

}  // namespace swage::sandbox::gitlab
