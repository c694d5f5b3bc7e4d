// Issues, their comments, labels and reactions. A pull request is addressed as an issue here, and
// all that is said anywhere is a comment of one table.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/gitea_api.h"
#include "forge/sandbox/gitea_paging.h"

namespace swage::sandbox::gitea {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxTitle = 255;
constexpr std::array<std::string_view, 8> kReactions = {"+1",    "-1",     "laugh",  "confused",
                                                        "heart", "hooray", "rocket", "eyes"};

using IssueHandler = Reply (*)(const RepoCall&, Issue&, const Pull*);

Handler OnIssue(Needs needs, IssueHandler handler) {
  return InRepo(needs, [handler](const RepoCall& in) {
    const std::int64_t number = in.call.Number("number");
    if (Issue* issue = in.world.FindIssue(in.repo, number)) return handler(in, *issue, nullptr);
    Pull* pull = in.world.FindPull(in.repo, number);
    return pull == nullptr ? NotFound() : handler(in, *pull, pull);
  });
}

Reply Show(const RepoCall& in, int status, const Issue& issue, const Pull* pull) {
  return Reply::Json(status, in.objects.IssueObject(in.repo, issue, pull));
}

/// Labels go by their ids; names are taken too since 1.19.
std::vector<std::string> LabelNames(const RepoCall& in) {
  std::vector<std::string> names;
  const json& list = JsonAt(in.call.body, "labels");
  for (const json& wanted : list.is_array() ? list : json::array()) {
    for (const Label& label : in.repo.labels) {
      const bool meant = wanted.is_number_integer() ? label.id == wanted.get<Id>()
                                                    : wanted.is_string() && label.name == wanted;
      if (meant) names.push_back(label.name);
    }
  }
  return names;
}

// --- issues ---

Reply CreateIssue(const RepoCall& in) {
  const std::string title = Truncate(JsonString(in.call.body, "title"), kMaxTitle);
  if (Trim(title).empty()) return Refuse(422, "[Title]: Required");
  // Without write access labels are dropped in silence.
  const auto labels = in.role >= Role::kWrite ? LabelNames(in) : std::vector<std::string>();
  Issue& issue =
      in.world.OpenIssue(in.repo, in.Actor(), title, JsonString(in.call.body, "body"), labels);
  return Show(in, 201, issue, nullptr);
}

Reply GetIssue(const RepoCall& in, Issue& issue, const Pull* pull) {
  return Show(in, 200, issue, pull);
}

/// Who the body says is at work from now on; nothing when it names somebody unknown.
std::optional<std::vector<Id>> AssigneesIn(const RepoCall& in) {
  std::vector<Id> assignees;
  for (const json& login : JsonAt(in.call.body, "assignees")) {
    const User* user = login.is_string() ? in.world.FindUser(login.get<std::string>()) : nullptr;
    if (user == nullptr) return std::nullopt;
    assignees.push_back(user->id);
  }
  return assignees;
}

Reply UpdateIssue(const RepoCall& in, Issue& issue, const Pull* pull) {
  if (in.role < Role::kWrite && issue.author != in.Actor().id) return RefuseInHtml();
  const json& body = in.call.body;
  IssueChange change;
  // An author without write access changes the text only.
  if (in.role >= Role::kWrite && JsonAt(body, "assignees").is_array()) {
    change.assignees = AssigneesIn(in);
    if (!change.assignees) return Refuse(422, "Assignee does not exist");
  }
  if (JsonAt(body, "title").is_string()) change.title = JsonString(body, "title");
  if (JsonAt(body, "body").is_string()) change.body = JsonString(body, "body");
  const std::string state = JsonString(body, "state");
  if (!state.empty()) change.open = state == "open";
  in.world.Update(in.repo, in.Actor(), issue, change);
  return Show(in, 201, issue, pull);
}

Reply DeleteIssue(const RepoCall& in, Issue& issue, const Pull* pull) {
  if (pull != nullptr) return NotFound();
  in.world.DeleteIssue(in.repo, in.Actor(), issue.number);
  return Reply::Empty(204);
}

// --- labels of an issue ---

Reply ListIssueLabels(const RepoCall& in, Issue& issue, const Pull*) {
  return Reply::Json(200, in.objects.Labels(in.repo, issue));
}

Reply AddLabels(const RepoCall& in, Issue& issue, const Pull*) {
  std::vector<std::string> labels = issue.labels;
  for (std::string& name : LabelNames(in)) labels.push_back(std::move(name));
  in.world.SetLabels(in.repo, in.Actor(), issue, labels);
  return Reply::Json(200, in.objects.Labels(in.repo, issue));
}

Reply ReplaceLabels(const RepoCall& in, Issue& issue, const Pull*) {
  in.world.SetLabels(in.repo, in.Actor(), issue, LabelNames(in));
  return Reply::Json(200, in.objects.Labels(in.repo, issue));
}

Reply RemoveLabel(const RepoCall& in, Issue& issue, const Pull*) {
  const Id id = in.call.Number("label");
  const auto label = std::ranges::find(in.repo.labels, id, &Label::id);
  if (label == in.repo.labels.end()) return Refuse(422, "label does not exist");
  std::vector<std::string> labels = issue.labels;
  std::erase(labels, label->name);
  in.world.SetLabels(in.repo, in.Actor(), issue, labels);
  return Reply::Empty(204);
}

// --- comments ---

Reply ListComments(const RepoCall& in, Issue& issue, const Pull* pull) {
  const std::string since = in.call.request.Query("since");
  std::vector<const Note*> notes;
  for (const Note& note : issue.notes) {
    if (since.empty() || FormatUtc(note.updated_at) >= since) notes.push_back(&note);
  }
  return Whole(notes, [&](const Note* note) {
    return in.objects.CommentObject(in.repo, issue, *note, pull != nullptr);
  });
}

Reply CreateComment(const RepoCall& in, Issue& issue, const Pull* pull) {
  const std::string body = JsonString(in.call.body, "body");
  if (body.empty()) return Refuse(422, "[Body]: Required");
  if (issue.locked && in.role < Role::kWrite) return Refuse(403, "issue is locked");
  const Note& note = in.world.AddNote(in.repo, in.Actor(), issue, body);
  return Reply::Json(201, in.objects.CommentObject(in.repo, issue, note, pull != nullptr));
}

/// A comment on a thread or a line, or the text of a review.
struct Said {
  World::NoteAt note;
  World::DiffNoteAt line;
  Review* review = nullptr;

  bool Absent() const { return note.note == nullptr && line.note == nullptr && review == nullptr; }
  std::vector<Award>& Awards() const {
    return note.note != nullptr   ? note.note->awards
           : line.note != nullptr ? line.note->awards
                                  : review->awards;
  }
};

Review* FindReviewText(Repo& repo, Id comment) {
  for (auto& [number, pull] : repo.pulls) {
    for (Review& review : pull.reviews) {
      if (review.id + kReviewTextIds == comment) return &review;
    }
  }
  return nullptr;
}

using SaidHandler = Reply (*)(const RepoCall&, const Said&);

Handler OnSaid(Needs needs, SaidHandler handler) {
  return InRepo(needs, [handler](const RepoCall& in) {
    const Id id = in.call.Number("comment");
    const Said said{in.world.FindNote(in.repo, id), in.world.FindDiffNote(in.repo, id),
                    FindReviewText(in.repo, id)};
    return said.Absent() ? NotFound() : handler(in, said);
  });
}

/// Of a line comment and of a review's text the answer is empty.
Reply GetComment(const RepoCall& in, const Said& said) {
  const World::NoteAt& at = said.note;
  if (at.note == nullptr) return Reply::Empty(204);
  return Reply::Json(200, in.objects.CommentObject(in.repo, *at.issue, *at.note, at.on_pull));
}

Reply EditComment(const RepoCall& in, const Said& said) {
  const Id author = said.note.note != nullptr   ? said.note.note->author
                    : said.line.note != nullptr ? said.line.note->author
                                                : said.review->author;
  if (in.role < Role::kWrite && author != in.Actor().id) return RefuseInHtml();
  const std::string body = JsonString(in.call.body, "body");
  if (said.note.note != nullptr) {
    in.world.EditNote(in.repo, in.Actor(), *said.note.issue, *said.note.note, body);
    return GetComment(in, said);
  }
  if (said.review != nullptr) {
    said.review->body = body;
    return Reply::Empty(204);
  }
  said.line.note->body = body;
  said.line.note->updated_at = in.world.Now();
  return Reply::Json(200,
                     in.objects.CommentObject(in.repo, *said.line.pull, *said.line.note, true));
}

Reply DeleteComment(const RepoCall& in, const Said& said) {
  const World::NoteAt& at = said.note;
  if (at.note == nullptr) return Reply::Empty(204);
  if (in.role < Role::kWrite && at.note->author != in.Actor().id) return RefuseInHtml();
  in.world.DeleteNote(in.repo, in.Actor(), *at.issue, at.note->id);
  return Reply::Empty(204);
}

// --- reactions ---

Reply React(const RepoCall& in, std::vector<Award>& awards) {
  const std::string content = JsonString(in.call.body, "content");
  if (std::ranges::find(kReactions, content) == kReactions.end()) {
    return Refuse(403, fmt::format("'{}' is not an allowed reaction", content));
  }
  const auto [award, fresh] = in.world.AddAward(awards, in.Actor(), content);
  return Reply::Json(fresh ? 201 : 200, in.objects.ReactionObject(*award));
}

Reply ReactToIssue(const RepoCall& in, Issue& issue, const Pull*) {
  return React(in, issue.awards);
}
Reply ReactToSaid(const RepoCall& in, const Said& said) {
  return React(in, said.Awards());
}
Reply IssueReactions(const RepoCall& in, Issue& issue, const Pull*) {
  return Paged(in.call, issue.awards,
               [&](const Award& award) { return in.objects.ReactionObject(award); });
}
Reply SaidReactions(const RepoCall& in, const Said& said) {
  return Whole(said.Awards(), [&](const Award& award) { return in.objects.ReactionObject(award); });
}

}  // namespace

void MountIssues(Router& router) {
  const std::string repo = std::string(kApiRoot) + "/repos/{owner}/{repo}";
  const std::string comment = repo + "/issues/comments/{comment}";
  const std::string issue = repo + "/issues/{number}";
  router.Add("GET", comment, OnSaid(Needs::kSight, GetComment));
  router.Add("PATCH", comment, OnSaid(Needs::kUser, EditComment));
  router.Add("DELETE", comment, OnSaid(Needs::kUser, DeleteComment));
  router.Add("GET", comment + "/reactions", OnSaid(Needs::kSight, SaidReactions));
  router.Add("POST", comment + "/reactions", OnSaid(Needs::kUser, ReactToSaid));
  router.Add("POST", repo + "/issues", InRepo(Needs::kUser, CreateIssue));
  router.Add("GET", issue, OnIssue(Needs::kSight, GetIssue));
  router.Add("PATCH", issue, OnIssue(Needs::kUser, UpdateIssue));
  router.Add("DELETE", issue, OnIssue(Needs::kAdmin, DeleteIssue));
  router.Add("GET", issue + "/comments", OnIssue(Needs::kSight, ListComments));
  router.Add("POST", issue + "/comments", OnIssue(Needs::kUser, CreateComment));
  router.Add("GET", issue + "/labels", OnIssue(Needs::kSight, ListIssueLabels));
  router.Add("POST", issue + "/labels", OnIssue(Needs::kWrite, AddLabels));
  router.Add("PUT", issue + "/labels", OnIssue(Needs::kWrite, ReplaceLabels));
  router.Add("DELETE", issue + "/labels/{label}", OnIssue(Needs::kWrite, RemoveLabel));
  router.Add("GET", issue + "/reactions", OnIssue(Needs::kSight, IssueReactions));
  router.Add("POST", issue + "/reactions", OnIssue(Needs::kUser, ReactToIssue));
}

}  // namespace swage::sandbox::gitea
