// What happened meanwhile: the events of an issue, the comments of a whole repository, and the
// repositories of an account. Clients without webhooks live on these.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "forge/sandbox/github_api.h"
#include "forge/sandbox/github_paging.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

/// Edits of the body are no events at GitHub; GraphQL tells the time of the last one.
std::string_view EventName(Act::Kind kind) {
  switch (kind) {
    case Act::Kind::kLabeled:
      return "labeled";
    case Act::Kind::kUnlabeled:
      return "unlabeled";
    case Act::Kind::kAssigned:
      return "assigned";
    case Act::Kind::kUnassigned:
      return "unassigned";
    case Act::Kind::kClosed:
      return "closed";
    case Act::Kind::kReopened:
      return "reopened";
    case Act::Kind::kMerged:
      return "merged";
    case Act::Kind::kRenamed:
      return "renamed";
    case Act::Kind::kDescribed:
      return "";
  }
  return "";
}

json EventObject(const RepoCall& in, const Issue& issue, const Act& act) {
  json object = {{"id", act.id},
                 {"node_id", GitHubObjects::NodeId("E", act.id)},
                 {"url", fmt::format("{}/issues/events/{}", in.objects.RepoUrl(in.repo), act.id)},
                 {"actor", in.objects.UserObject(act.actor)},
                 {"event", EventName(act.kind)},
                 {"commit_id", json()},
                 {"commit_url", json()},
                 {"created_at", FormatUtc(act.at)},
                 {"performed_via_github_app", json()}};
  if (!act.label.empty()) {
    const json label = in.objects.LabelNamed(in.repo, act.label);
    object["label"] = {{"name", label["name"]}, {"color", label["color"]}};
  }
  // Of an assignment the actor is whom it made the assignee.
  if (act.whom != 0) {
    object["actor"] = object["assignee"] = in.objects.UserObject(act.whom);
    object["assigner"] = in.objects.UserObject(act.actor);
  }
  if (act.kind == Act::Kind::kRenamed) {
    object["rename"] = {{"from", act.before}, {"to", issue.title}};
  }
  return object;
}

Reply ListEvents(const RepoCall& in) {
  const Issue* issue = in.world.FindEither(in.repo, in.call.Number("number"));
  if (issue == nullptr) return GitHubError(404, "Not Found");
  std::vector<Act> told = issue->acts;
  std::erase_if(told, [](const Act& act) { return EventName(act.kind).empty(); });
  return Paged(in.call, told, [&](const Act& act) { return EventObject(in, *issue, act); });
}

/// The oldest first unless asked otherwise; `since` counts the last edit.
struct Selection {
  std::string since;
  bool by_update = false;
  bool descending = false;

  explicit Selection(const Call& call)
      : since(call.request.Query("since")),
        by_update(call.request.Query("sort") == "updated"),
        descending(call.request.HasQuery("sort") && call.request.Query("direction") != "asc") {}

  bool Takes(const Note& note) const {
    return since.empty() || FormatUtc(note.updated_at) >= since;
  }
  bool Before(const Note& a, const Note& b) const {
    const auto key = [&](const Note& n) {
      return std::pair(by_update ? n.updated_at : n.created_at, n.id);
    };
    return descending ? key(b) < key(a) : key(a) < key(b);
  }
};

Reply ListRepoComments(const RepoCall& in) {
  struct Said {
    const Issue* issue;
    const Note* note;
    bool on_pull;
  };
  const Selection selection(in.call);
  std::vector<Said> said;
  const auto collect = [&](const Issue& issue, bool on_pull) {
    for (const Note& note : issue.notes) {
      if (selection.Takes(note)) said.push_back({&issue, &note, on_pull});
    }
  };
  for (const auto& [number, issue] : in.repo.issues) collect(issue, false);
  for (const auto& [number, pull] : in.repo.pulls) collect(pull, true);
  std::sort(said.begin(), said.end(),
            [&](const Said& a, const Said& b) { return selection.Before(*a.note, *b.note); });
  return Paged(in.call, said, [&](const Said& s) {
    return in.objects.CommentObject(in.repo, *s.issue, *s.note, s.on_pull);
  });
}

Reply ListRepoReviewComments(const RepoCall& in) {
  struct Said {
    const Pull* pull;
    const Discussion* discussion;
    const DiffNote* note;
  };
  const Selection selection(in.call);
  std::vector<Said> said;
  for (const auto& [number, pull] : in.repo.pulls) {
    for (const Discussion& discussion : pull.discussions) {
      for (const DiffNote& note : discussion.notes) {
        if (discussion.position && selection.Takes(note)) {
          said.push_back({&pull, &discussion, &note});
        }
      }
    }
  }
  std::sort(said.begin(), said.end(),
            [&](const Said& a, const Said& b) { return selection.Before(*a.note, *b.note); });
  return Paged(in.call, said, [&](const Said& s) {
    return in.objects.ReviewComment(in.repo, *s.pull, *s.discussion, *s.note);
  });
}

/// Those that the account owns or is a collaborator of.
Reply ListOwnRepos(const Call& call) {
  if (call.actor == nullptr) return GitHubError(401, "Requires authentication");
  std::vector<const Repo*> own;
  for (const auto& repo : call.world.repos()) {
    const auto member = repo->members.find(call.actor->id);
    if (member != repo->members.end() && member->second != Role::kNone) own.push_back(repo.get());
  }
  const GitHubObjects objects(call.world, call.base);
  return Paged(call, own, [&](const Repo* repo) { return objects.RepoObject(*repo); });
}

}  // namespace

void MountHistory(Router& router) {
  const std::string repo = "/repos/{owner}/{repo}";
  router.Add("GET", "/user/repos", ListOwnRepos);
  router.Add("GET", repo + "/issues/comments", InRepo(Needs::kSight, ListRepoComments));
  router.Add("GET", repo + "/pulls/comments", InRepo(Needs::kSight, ListRepoReviewComments));
  router.Add("GET", repo + "/issues/{number}/events", InRepo(Needs::kSight, ListEvents));
}

}  // namespace swage::sandbox
