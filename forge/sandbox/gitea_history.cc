// What happened meanwhile: issues by their last change, the comments of a whole repository, and the
// timeline of an issue. Clients without webhooks live on these.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/gitea_api.h"
#include "forge/sandbox/gitea_paging.h"

namespace swage::sandbox::gitea {
namespace {

using nlohmann::json;

struct IssueAt {
  const Issue* issue = nullptr;
  const Pull* pull = nullptr;
};

/// By the second, as the list tells times.
bool InWindow(const Call& call, WallTime at) {
  const std::string since = call.request.Query("since");
  const std::string before = call.request.Query("before");
  const std::string when = FormatUtc(at);
  return (since.empty() || when >= since) && (before.empty() || when <= before);
}

bool Listed(const RepoCall& in, const IssueAt& at) {
  const Issue& issue = *at.issue;
  const std::string state = in.call.request.Query("state");
  if (state != "all" && issue.open != (state != "closed")) return false;
  const std::string type = in.call.request.Query("type");
  if (!type.empty() && (type == "pulls") != (at.pull != nullptr)) return false;
  if (!InWindow(in.call, issue.updated_at)) return false;
  // Names that no label has are passed over; with none left nothing is filtered.
  const std::string labels = in.call.request.Query("labels");
  return std::ranges::all_of(Split(labels, ','), [&](std::string_view wanted) {
    return Objects::FindLabel(in.repo, wanted) == nullptr ||
           std::ranges::find(issue.labels, wanted) != issue.labels.end();
  });
}

/// The youngest first, whatever is asked for.
Reply ListIssues(const RepoCall& in) {
  std::vector<IssueAt> found;
  const auto consider = [&](const IssueAt& at) {
    if (Listed(in, at)) found.push_back(at);
  };
  for (const auto& [number, issue] : in.repo.issues) consider({&issue, nullptr});
  for (const auto& [number, pull] : in.repo.pulls) consider({&pull, &pull});
  std::ranges::sort(found, std::greater(), [](const IssueAt& at) { return at.issue->number; });
  return Paged(in.call, found, [&](const IssueAt& at) {
    return in.objects.IssueObject(in.repo, *at.issue, at.pull);
  });
}

Reply ListRepoComments(const RepoCall& in) {
  struct Said {
    const Issue* issue;
    const Note* note;
    bool on_pull;
  };
  std::vector<Said> said;
  const auto collect = [&](const Issue& issue, bool on_pull) {
    for (const Note& note : issue.notes) {
      if (InWindow(in.call, note.updated_at)) said.push_back({&issue, &note, on_pull});
    }
  };
  for (const auto& [number, issue] : in.repo.issues) collect(issue, false);
  for (const auto& [number, pull] : in.repo.pulls) collect(pull, true);
  std::ranges::sort(said, {},
                    [](const Said& s) { return std::pair(s.note->created_at, s.note->id); });
  return Paged(in.call, said, [&](const Said& s) {
    return in.objects.CommentObject(in.repo, *s.issue, *s.note, s.on_pull);
  });
}

/// Edits of a text are no entry.
std::string_view TypeName(Act::Kind kind) {
  switch (kind) {
    case Act::Kind::kLabeled:
    case Act::Kind::kUnlabeled:
      return "label";
    case Act::Kind::kAssigned:
    case Act::Kind::kUnassigned:
      return "assignees";
    case Act::Kind::kClosed:
      return "close";
    case Act::Kind::kReopened:
      return "reopen";
    case Act::Kind::kMerged:
      return "merge_pull";
    case Act::Kind::kRenamed:
      return "change_title";
    case Act::Kind::kDescribed:
      return "";
  }
  return "";
}

json Entry(const RepoCall& in, const Note& note, bool on_pull, const Issue& issue,
           std::string_view type) {
  json entry = in.objects.CommentObject(in.repo, issue, note, on_pull);
  for (const char* key : {"original_author", "original_author_id", "assets"}) entry.erase(key);
  entry["type"] = type;
  for (const char* key : {"milestone", "old_milestone", "tracked_time", "assignee", "assignee_team",
                          "resolve_doer", "dependent_issue", "ref_issue", "ref_comment", "label"}) {
    entry[key] = json();
  }
  for (const char* key :
       {"old_title", "new_title", "old_ref", "new_ref", "ref_action", "ref_commit_sha"}) {
    entry[key] = "";
  }
  for (const char* key : {"old_project_id", "project_id", "review_id"}) entry[key] = 0;
  entry["removed_assignee"] = false;
  return entry;
}

json ActEntry(const RepoCall& in, const Issue& issue, bool on_pull, const Act& act) {
  Note note;
  note.id = act.id;
  note.author = act.actor;
  note.created_at = note.updated_at = act.at;
  if (act.kind == Act::Kind::kLabeled) note.body = "1";
  json entry = Entry(in, note, on_pull, issue, TypeName(act.kind));
  const Label* label = Objects::FindLabel(in.repo, act.label);
  if (label != nullptr) entry["label"] = in.objects.LabelObject(in.repo, *label);
  if (act.whom != 0) {
    entry["assignee"] = in.objects.UserObject(act.whom);
    entry["removed_assignee"] = act.kind == Act::Kind::kUnassigned;
  }
  if (act.kind == Act::Kind::kRenamed) {
    entry["old_title"] = act.before;
    entry["new_title"] = issue.title;
  }
  return entry;
}

json ReviewEntry(const RepoCall& in, const Pull& pull, const Review& review) {
  Note note;
  note.id = review.id + kReviewTextIds;
  note.author = review.author;
  note.body = review.body;
  note.created_at = note.updated_at = review.submitted_at;
  json entry = Entry(in, note, true, pull, "review");
  entry["review_id"] = review.id;
  return entry;
}

/// The total that goes with it is that of the page.
Reply ListTimeline(const RepoCall& in) {
  const Pull* pull = in.world.FindPull(in.repo, in.call.Number("number"));
  const Issue* issue = in.world.FindEither(in.repo, in.call.Number("number"));
  if (issue == nullptr) return NotFound();
  std::vector<std::pair<WallTime, json>> entries;
  for (const Note& note : issue->notes) {
    entries.emplace_back(note.created_at, Entry(in, note, pull != nullptr, *issue, "comment"));
  }
  for (const Act& act : issue->acts) {
    if (TypeName(act.kind).empty()) continue;
    entries.emplace_back(act.at, ActEntry(in, *issue, pull != nullptr, act));
  }
  for (const Review& review : pull ? pull->reviews : std::vector<Review>()) {
    if (review.state != "PENDING") {
      entries.emplace_back(review.submitted_at, ReviewEntry(in, *pull, review));
    }
  }
  std::ranges::stable_sort(entries, {}, [](const auto& entry) { return entry.first; });
  Reply reply = Paged(in.call, entries, [](const auto& entry) { return entry.second; });
  const Page page = PageOf(in.call, entries.size());
  reply.headers["X-Total-Count"] = std::to_string(page.end - page.begin);
  reply.headers.erase("Link");
  return reply;
}

}  // namespace

void MountHistory(Router& router) {
  const std::string repo = std::string(kApiRoot) + "/repos/{owner}/{repo}";
  router.Add("GET", repo + "/issues", InRepo(Needs::kSight, ListIssues));
  router.Add("GET", repo + "/issues/comments", InRepo(Needs::kSight, ListRepoComments));
  router.Add("GET", repo + "/issues/{number}/timeline", InRepo(Needs::kSight, ListTimeline));
}

}  // namespace swage::sandbox::gitea
