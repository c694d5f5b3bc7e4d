// Issues, their comments, labels and reactions. A pull request is addressed as an issue here.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_api.h"
#include "forge/sandbox/github_paging.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxTitle = 256;
constexpr std::array<std::string_view, 8> kReactions = {"+1",    "-1",     "laugh",  "confused",
                                                        "heart", "hooray", "rocket", "eyes"};

struct IssueAt {
  Issue* issue = nullptr;
  bool is_pull = false;
};

IssueAt FindIssueAt(const RepoCall& in) {
  const std::int64_t number = in.call.Number("number");
  if (Issue* issue = in.world.FindIssue(in.repo, number)) return {issue, false};
  return {in.world.FindPull(in.repo, number), true};
}

// A transferred issue's address leads on, a deleted one's says that there was one.
Reply NotHere(const RepoCall& in) {
  const auto departed = in.repo.departed.find(in.call.Number("number"));
  if (departed == in.repo.departed.end()) return GitHubError(404, "Not Found");
  const Repo* const target = in.world.FindRepo(departed->second.repo);
  if (target == nullptr) return GitHubError(410, "This issue was deleted");
  // Also below it: .../issues/1/comments leads to .../issues/7/comments.
  const std::string here = fmt::format("/issues/{}", departed->first);
  const std::string& path = in.call.request.path;
  const std::string below = path.substr(std::min(path.find(here) + here.size(), path.size()));
  const std::string url =
      fmt::format("{}/issues/{}{}", in.objects.RepoUrl(*target), departed->second.number, below);
  Reply reply = Reply::Json(301, {{"message", "Moved Permanently"},
                                  {"url", url},
                                  {"documentation_url", "https://docs.github.com/rest"}});
  reply.headers["Location"] = url;
  return reply;
}

using IssueHandler = Reply (*)(const RepoCall&, Issue&, bool is_pull);

Handler OnIssue(Needs needs, IssueHandler handler) {
  return InRepo(needs, [handler](const RepoCall& in) {
    const IssueAt at = FindIssueAt(in);
    if (at.issue == nullptr) return NotHere(in);
    return handler(in, *at.issue, at.is_pull);
  });
}

/// Label names as the API takes them: ["a"], [{"name": "a"}], or either below "labels".
std::vector<std::string> LabelNames(const json& body) {
  std::vector<std::string> names;
  const json& list = body.is_object() ? JsonAt(body, "labels") : body;
  if (!list.is_array()) return names;
  for (const json& item : list) {
    const std::string name = item.is_string() ? item.get<std::string>() : JsonString(item, "name");
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

std::vector<Id> UserIds(World& world, const json& logins) {
  std::vector<Id> ids;
  if (!logins.is_array()) return ids;
  for (const json& login : logins) {
    const User* user = login.is_string() ? world.FindUser(login.get<std::string>()) : nullptr;
    if (user != nullptr) ids.push_back(user->id);
  }
  return ids;
}

// --- issues ---

bool Listed(const RepoCall& in, const Issue& issue) {
  const std::string state = in.call.request.Query("state");
  if (state != "all" && issue.open != (state != "closed")) return false;
  const std::string creator = in.call.request.Query("creator");
  if (!creator.empty() && !EqualsIgnoreCase(in.world.UserOf(issue.author).login, creator)) {
    return false;
  }
  const std::string labels = in.call.request.Query("labels");
  if (labels.empty()) return true;
  for (const std::string_view wanted : Split(labels, ',')) {
    const bool has = std::any_of(issue.labels.begin(), issue.labels.end(), [&](const auto& label) {
      return EqualsIgnoreCase(label, wanted);
    });
    if (!has) return false;
  }
  return true;
}

Reply ListIssues(const RepoCall& in) {
  const std::string since = in.call.request.Query("since");
  std::vector<IssueAt> found;
  const auto consider = [&](Issue& issue, bool is_pull) {
    const bool recent = since.empty() || FormatUtc(issue.updated_at) >= since;
    if (recent && Listed(in, issue)) found.push_back({&issue, is_pull});
  };
  for (auto& [number, issue] : in.repo.issues) consider(issue, false);
  for (auto& [number, pull] : in.repo.pulls) consider(pull, true);
  const bool by_update = in.call.request.Query("sort") == "updated";
  const bool ascending = in.call.request.Query("direction") == "asc";
  std::sort(found.begin(), found.end(), [&](const IssueAt& a, const IssueAt& b) {
    const auto key = [&](const IssueAt& at) {
      return std::pair(by_update ? at.issue->updated_at : WallTime{}, at.issue->number);
    };
    return ascending ? key(a) < key(b) : key(b) < key(a);
  });
  return Paged(in.call, found, [&](const IssueAt& at) {
    return in.objects.IssueObject(in.repo, *at.issue, at.is_pull);
  });
}

Reply CreateIssue(const RepoCall& in) {
  const std::string title = JsonString(in.call.body, "title");
  const std::string body = JsonString(in.call.body, "body");
  if (title.empty()) return ValidationFailed("Issue", "missing_field", "title");
  if (title.size() > kMaxTitle) {
    return ValidationFailed("Issue", "custom", "title",
                            "title is too long (maximum is 256 characters)");
  }
  if (IsTooLong(body)) return BodyTooLong("Issue");
  // Without push access labels are dropped in silence.
  const std::vector<std::string> labels =
      in.role >= Role::kTriage ? LabelNames(in.call.body) : std::vector<std::string>();
  const std::vector<Id> assignees = in.role >= Role::kTriage
                                        ? UserIds(in.world, JsonAt(in.call.body, "assignees"))
                                        : std::vector<Id>();
  Issue& issue = in.world.OpenIssue(in.repo, in.Actor(), title, body, labels, assignees);
  return Reply::Json(201, in.objects.IssueObject(in.repo, issue, false));
}

Reply GetIssue(const RepoCall& in, Issue& issue, bool is_pull) {
  return Reply::Json(200, in.objects.IssueObject(in.repo, issue, is_pull));
}

Reply UpdateIssue(const RepoCall& in, Issue& issue, bool is_pull) {
  if (in.role < Role::kTriage && issue.author != in.Actor().id) {
    return GitHubError(403, "Must have admin rights to Repository.");
  }
  const json& body = in.call.body;
  IssueChange change;
  if (JsonAt(body, "title").is_string()) change.title = JsonString(body, "title");
  if (body.contains("body")) change.body = JsonString(body, "body");
  if (change.body && IsTooLong(*change.body)) return BodyTooLong("Issue");
  if (JsonAt(body, "labels").is_array()) change.labels = LabelNames(body);
  if (JsonAt(body, "assignees").is_array()) {
    change.assignees = UserIds(in.world, JsonAt(body, "assignees"));
  }
  const std::string state = JsonString(body, "state");
  if (!state.empty() && state != "open" && state != "closed") {
    return ValidationFailed("Issue", "invalid", "state");
  }
  if (!state.empty()) change.open = state == "open";
  if (JsonAt(body, "state_reason").is_string()) {
    change.state_reason = JsonString(body, "state_reason");
  }
  in.world.Update(in.repo, in.Actor(), issue, change);
  return Reply::Json(200, in.objects.IssueObject(in.repo, issue, is_pull));
}

// --- assignees of an issue ---

Reply AddAssignees(const RepoCall& in, Issue& issue, bool is_pull) {
  std::vector<Id> assignees = issue.assignees;
  for (const Id user : UserIds(in.world, JsonAt(in.call.body, "assignees"))) {
    if (std::ranges::find(assignees, user) == assignees.end()) assignees.push_back(user);
  }
  in.world.SetAssignees(in.repo, in.Actor(), issue, std::move(assignees));
  return Reply::Json(201, in.objects.IssueObject(in.repo, issue, is_pull));
}

Reply RemoveAssignees(const RepoCall& in, Issue& issue, bool is_pull) {
  std::vector<Id> assignees = issue.assignees;
  for (const Id user : UserIds(in.world, JsonAt(in.call.body, "assignees"))) {
    std::erase(assignees, user);
  }
  in.world.SetAssignees(in.repo, in.Actor(), issue, std::move(assignees));
  return Reply::Json(200, in.objects.IssueObject(in.repo, issue, is_pull));
}

// --- labels of an issue ---

Reply ListIssueLabels(const RepoCall& in, Issue& issue, bool) {
  return Paged(in.call, issue.labels,
               [&](const std::string& name) { return in.objects.LabelNamed(in.repo, name); });
}

Reply AddLabels(const RepoCall& in, Issue& issue, bool) {
  std::vector<std::string> labels = issue.labels;
  for (std::string& name : LabelNames(in.call.body)) labels.push_back(std::move(name));
  in.world.SetLabels(in.repo, in.Actor(), issue, labels);
  return Reply::Json(200, in.objects.Labels(in.repo, issue));
}

Reply ReplaceLabels(const RepoCall& in, Issue& issue, bool) {
  in.world.SetLabels(in.repo, in.Actor(), issue, LabelNames(in.call.body));
  return Reply::Json(200, in.objects.Labels(in.repo, issue));
}

Reply RemoveAllLabels(const RepoCall& in, Issue& issue, bool) {
  in.world.SetLabels(in.repo, in.Actor(), issue, {});
  return Reply::Empty(204);
}

Reply RemoveLabel(const RepoCall& in, Issue& issue, bool) {
  std::vector<std::string> labels = issue.labels;
  const auto removed = std::erase_if(labels, [&](const std::string& label) {
    return EqualsIgnoreCase(label, in.call.Param("name"));
  });
  if (removed == 0) return GitHubError(404, "Label does not exist");
  in.world.SetLabels(in.repo, in.Actor(), issue, labels);
  return Reply::Json(200, in.objects.Labels(in.repo, issue));
}

// --- comments ---

Reply ListComments(const RepoCall& in, Issue& issue, bool is_pull) {
  const std::string since = in.call.request.Query("since");
  std::vector<const Note*> notes;
  for (const Note& note : issue.notes) {
    if (since.empty() || FormatUtc(note.updated_at) >= since) notes.push_back(&note);
  }
  return Paged(in.call, notes, [&](const Note* note) {
    return in.objects.CommentObject(in.repo, issue, *note, is_pull);
  });
}

/// The refusal of an unusable comment body, if it is one.
std::optional<Reply> CheckBody(const std::string& body) {
  if (Trim(body).empty()) return ValidationFailed("IssueComment", "missing_field", "body");
  if (IsTooLong(body)) return BodyTooLong("IssueComment");
  return std::nullopt;
}

Reply CreateComment(const RepoCall& in, Issue& issue, bool is_pull) {
  const std::string body = JsonString(in.call.body, "body");
  if (auto refused = CheckBody(body)) return *refused;
  if (issue.locked && in.role < Role::kWrite) {
    return GitHubError(403, "Unable to create comment because issue is locked.");
  }
  const Note& note = in.world.AddNote(in.repo, in.Actor(), issue, body);
  return Reply::Json(201, in.objects.CommentObject(in.repo, issue, note, is_pull));
}

using NoteHandler = Reply (*)(const RepoCall&, const World::NoteAt&);

Handler OnNote(Needs needs, NoteHandler handler) {
  return InRepo(needs, [handler](const RepoCall& in) {
    const World::NoteAt at = in.world.FindNote(in.repo, in.call.Number("comment"));
    return at.note == nullptr ? GitHubError(404, "Not Found") : handler(in, at);
  });
}

bool MayEdit(const RepoCall& in, const Note& note) {
  return in.role >= Role::kWrite || note.author == in.Actor().id;
}

Reply GetComment(const RepoCall& in, const World::NoteAt& at) {
  return Reply::Json(200, in.objects.CommentObject(in.repo, *at.issue, *at.note, at.on_pull));
}

Reply EditComment(const RepoCall& in, const World::NoteAt& at) {
  if (!MayEdit(in, *at.note)) return GitHubError(403, "Must have admin rights to Repository.");
  const std::string body = JsonString(in.call.body, "body");
  if (auto refused = CheckBody(body)) return *refused;
  in.world.EditNote(in.repo, in.Actor(), *at.issue, *at.note, body);
  return GetComment(in, at);
}

Reply DeleteComment(const RepoCall& in, const World::NoteAt& at) {
  if (!MayEdit(in, *at.note)) return GitHubError(403, "Must have admin rights to Repository.");
  in.world.DeleteNote(in.repo, in.Actor(), *at.issue, at.note->id);
  return Reply::Empty(204);
}

// --- reactions ---

Reply React(const RepoCall& in, std::vector<Award>& awards) {
  const std::string content = JsonString(in.call.body, "content");
  if (std::find(kReactions.begin(), kReactions.end(), content) == kReactions.end()) {
    return ValidationFailed("Reaction", "invalid", "content");
  }
  const auto [award, fresh] = in.world.AddAward(awards, in.Actor(), content);
  return Reply::Json(fresh ? 201 : 200, in.objects.ReactionObject(*award));
}

Reply ListReactions(const RepoCall& in, const std::vector<Award>& awards) {
  const std::string content = in.call.request.Query("content");
  std::vector<Award> some = awards;
  if (!content.empty()) std::erase_if(some, [&](const Award& a) { return a.content != content; });
  return Paged(in.call, some, [&](const Award& award) { return in.objects.ReactionObject(award); });
}

Reply ReactToIssue(const RepoCall& in, Issue& issue, bool) {
  return React(in, issue.awards);
}
Reply IssueReactions(const RepoCall& in, Issue& issue, bool) {
  return ListReactions(in, issue.awards);
}
Reply ReactToNote(const RepoCall& in, const World::NoteAt& at) {
  return React(in, at.note->awards);
}
Reply NoteReactions(const RepoCall& in, const World::NoteAt& at) {
  return ListReactions(in, at.note->awards);
}

Reply ReactToReviewComment(const RepoCall& in) {
  const World::DiffNoteAt at = in.world.FindDiffNote(in.repo, in.call.Number("comment"));
  return at.note == nullptr ? GitHubError(404, "Not Found") : React(in, at.note->awards);
}

Reply ReviewCommentReactions(const RepoCall& in) {
  const World::DiffNoteAt at = in.world.FindDiffNote(in.repo, in.call.Number("comment"));
  return at.note == nullptr ? GitHubError(404, "Not Found") : ListReactions(in, at.note->awards);
}

}  // namespace

void MountIssues(Router& router) {
  const std::string repo = "/repos/{owner}/{repo}";
  const std::string note = repo + "/issues/comments/{comment}";
  const std::string issue = repo + "/issues/{number}";
  router.Add("GET", note, OnNote(Needs::kSight, GetComment));
  router.Add("PATCH", note, OnNote(Needs::kUser, EditComment));
  router.Add("DELETE", note, OnNote(Needs::kUser, DeleteComment));
  router.Add("GET", note + "/reactions", OnNote(Needs::kSight, NoteReactions));
  router.Add("POST", note + "/reactions", OnNote(Needs::kUser, ReactToNote));
  router.Add("GET", repo + "/pulls/comments/{comment}/reactions",
             InRepo(Needs::kSight, ReviewCommentReactions));
  router.Add("POST", repo + "/pulls/comments/{comment}/reactions",
             InRepo(Needs::kUser, ReactToReviewComment));
  router.Add("GET", repo + "/issues", InRepo(Needs::kSight, ListIssues));
  router.Add("POST", repo + "/issues", InRepo(Needs::kUser, CreateIssue));
  router.Add("GET", issue, OnIssue(Needs::kSight, GetIssue));
  router.Add("PATCH", issue, OnIssue(Needs::kUser, UpdateIssue));
  router.Add("GET", issue + "/comments", OnIssue(Needs::kSight, ListComments));
  router.Add("POST", issue + "/comments", OnIssue(Needs::kUser, CreateComment));
  router.Add("POST", issue + "/assignees", OnIssue(Needs::kTriage, AddAssignees));
  router.Add("DELETE", issue + "/assignees", OnIssue(Needs::kTriage, RemoveAssignees));
  router.Add("GET", issue + "/labels", OnIssue(Needs::kSight, ListIssueLabels));
  router.Add("POST", issue + "/labels", OnIssue(Needs::kTriage, AddLabels));
  router.Add("PUT", issue + "/labels", OnIssue(Needs::kTriage, ReplaceLabels));
  router.Add("DELETE", issue + "/labels", OnIssue(Needs::kTriage, RemoveAllLabels));
  router.Add("DELETE", issue + "/labels/{name}", OnIssue(Needs::kTriage, RemoveLabel));
  router.Add("GET", issue + "/reactions", OnIssue(Needs::kSight, IssueReactions));
  router.Add("POST", issue + "/reactions", OnIssue(Needs::kUser, ReactToIssue));
}

}  // namespace swage::sandbox
