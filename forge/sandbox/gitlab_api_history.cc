// GitLab REST v4: what happened meanwhile. The label and state events of an issue or merge request,
// and the projects of an account.
#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox::gitlab {
namespace {

Json EventJson(Ctx& ctx, const Issue& on, bool on_pull, const Act& act) {
  return {{"id", act.id},
          {"user", UserJson(ctx.world.UserOf(act.actor), ctx.call.base)},
          {"created_at", IsoTime(act.at)},
          {"resource_type", on_pull ? "MergeRequest" : "Issue"},
          {"resource_id", on.id}};
}

Json LabelEventJson(Ctx& ctx, const Issue& on, bool on_pull, const Act& act) {
  Json json = EventJson(ctx, on, on_pull, act);
  const Label& label = ctx.world.EnsureLabel(ctx.repo, act.label);
  json["action"] = act.kind == Act::Kind::kLabeled ? "add" : "remove";
  json["label"] = {{"id", label.id},
                   {"name", label.name},
                   {"color", "#" + label.color},
                   {"description", label.description}};
  return json;
}

/// The word of a state event; nullptr for acts that are none.
const char* StateWord(Act::Kind kind) {
  switch (kind) {
    case Act::Kind::kClosed:
      return "closed";
    case Act::Kind::kReopened:
      return "reopened";
    case Act::Kind::kMerged:
      return "merged";
    case Act::Kind::kLabeled:
    case Act::Kind::kUnlabeled:
    case Act::Kind::kAssigned:
    case Act::Kind::kUnassigned:
    case Act::Kind::kRenamed:
    case Act::Kind::kDescribed:
      return nullptr;
  }
  return nullptr;
}

Result<const Issue*> ThreadOf(Ctx& ctx, bool on_pull) {
  if (on_pull) {
    SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
    return static_cast<const Issue*>(pull);
  }
  SWAGE_ASSIGN_OR_RETURN(const Issue* issue, IssueOf(ctx));
  return issue;
}

Result<Reply> ListLabelEvents(Ctx& ctx, bool on_pull) {
  SWAGE_ASSIGN_OR_RETURN(const Issue* issue, ThreadOf(ctx, on_pull));
  Json events = Json::array();
  for (const Act& act : issue->acts) {
    if (!act.label.empty()) events.push_back(LabelEventJson(ctx, *issue, on_pull, act));
  }
  return Page(ctx, events);
}

Result<Reply> ListStateEvents(Ctx& ctx, bool on_pull) {
  SWAGE_ASSIGN_OR_RETURN(const Issue* issue, ThreadOf(ctx, on_pull));
  Json events = Json::array();
  for (const Act& act : issue->acts) {
    const char* const word = StateWord(act.kind);
    if (word == nullptr) continue;
    Json json = EventJson(ctx, *issue, on_pull, act);
    json["state"] = word;
    events.push_back(std::move(json));
  }
  return Page(ctx, events);
}

Reply ListProjects(const Call& call) {
  const bool members_only = call.request.Query("membership") == "true";
  const auto least = ParseInt(call.request.Query("min_access_level")).value_or(0);
  Json projects = Json::array();
  for (const auto& repo : call.world.repos()) {
    const Role role = call.world.RoleOf(*repo, call.actor);
    const bool seen = role != Role::kNone && AccessLevel(role) >= least;
    if (!seen || (members_only && !repo->members.contains(call.actor->id))) continue;
    projects.push_back(ProjectJson(call.world, *repo, call.actor, call.base));
  }
  return PageOf(call, projects);
}

}  // namespace

void MountHistory(Router& router) {
  AddUserRoute(router, "GET", "/projects", ListProjects);
  for (const bool on_pull : {false, true}) {
    const std::string thread = on_pull ? "/merge_requests/{iid}" : "/issues/{iid}";
    AddProjectRoute(router, "GET", thread + "/resource_label_events", Need::kPublic,
                    [on_pull](Ctx& ctx) { return ListLabelEvents(ctx, on_pull); });
    AddProjectRoute(router, "GET", thread + "/resource_state_events", Need::kPublic,
                    [on_pull](Ctx& ctx) { return ListStateEvents(ctx, on_pull); });
  }
}

}  // namespace swage::sandbox::gitlab
