// Issues, comments, labels and reactions: the half of World that pull requests share with issues.
#include <algorithm>
#include <iterator>

#include "config/base/text.h"
#include "forge/sandbox/world.h"

namespace swage::sandbox {

Event World::EventOn(const Repo& repo, const User& actor, const Issue& issue,
                     Happening what) const {
  const auto pull = repo.pulls.find(issue.number);
  Event event;
  event.what = what;
  event.repo = repo.id;
  event.actor = actor.id;
  event.number = issue.number;
  event.on_pull = pull != repo.pulls.end() && &pull->second == &issue;
  return event;
}

std::int64_t World::NextNumber(const Repo& repo, bool pull) const {
  const std::int64_t issues = repo.issues.empty() ? 0 : repo.issues.rbegin()->first;
  const std::int64_t pulls = repo.pulls.empty() ? 0 : repo.pulls.rbegin()->first;
  const std::int64_t departed = repo.departed.empty() ? 0 : repo.departed.rbegin()->first;
  if (dialect_ != Dialect::kGitLab) return std::max({issues, pulls, departed}) + 1;
  return (pull ? pulls : std::max(issues, departed)) + 1;
}

std::vector<std::string> World::Known(Repo& repo, const std::vector<std::string>& labels) {
  std::vector<std::string> known;
  for (const std::string& name : labels) {
    const std::string& spelled = EnsureLabel(repo, name).name;
    if (std::find(known.begin(), known.end(), spelled) == known.end()) known.push_back(spelled);
  }
  return known;
}

void World::Record(Issue& issue, const User& actor, Act::Kind kind, std::string_view label,
                   std::string_view before) {
  issue.acts.push_back(
      {NextId(), kind, actor.id, std::string(label), std::string(before), Now(), 0});
}

void World::RecordLabels(Issue& issue, const User& actor, const std::vector<std::string>& before) {
  const auto lacks = [](const std::vector<std::string>& labels, const std::string& label) {
    return std::find(labels.begin(), labels.end(), label) == labels.end();
  };
  for (const std::string& label : before) {
    if (lacks(issue.labels, label)) Record(issue, actor, Act::Kind::kUnlabeled, label);
  }
  for (const std::string& label : issue.labels) {
    if (lacks(before, label)) Record(issue, actor, Act::Kind::kLabeled, label);
  }
}

void World::RecordAssignees(Issue& issue, const User& actor, const std::vector<Id>& before) {
  const auto each = [&](const std::vector<Id>& from, const std::vector<Id>& without,
                        Act::Kind kind) {
    for (const Id user : from) {
      if (std::ranges::find(without, user) != without.end()) continue;
      Record(issue, actor, kind);
      issue.acts.back().whom = user;
    }
  };
  each(before, issue.assignees, Act::Kind::kUnassigned);
  each(issue.assignees, before, Act::Kind::kAssigned);
}

Issue& World::OpenIssue(Repo& repo, const User& actor, std::string_view title,
                        std::string_view body, const std::vector<std::string>& labels,
                        const std::vector<Id>& assignees) {
  const std::int64_t number = NextNumber(repo, false);
  Issue& issue = repo.issues[number];
  issue.id = NextId();
  issue.number = number;
  issue.author = actor.id;
  issue.title = title;
  issue.body = body;
  issue.created_at = issue.updated_at = Now();
  issue.labels = Known(repo, labels);
  RecordLabels(issue, actor, {});
  issue.assignees = assignees;
  RecordAssignees(issue, actor, {});
  Raise(EventOn(repo, actor, issue, Happening::kIssueOpened));
  // GitHub tells of the labels and assignees of a new issue once more, one by one; GitLab does not.
  if (dialect_ == Dialect::kGitHub && !issue.assignees.empty()) {
    Event event = EventOn(repo, actor, issue, Happening::kAssigneesChanged);
    event.assignees_after = issue.assignees;
    Raise(event);
  }
  if (dialect_ == Dialect::kGitHub && !issue.labels.empty()) {
    Event event = EventOn(repo, actor, issue, Happening::kLabelsChanged);
    event.labels_after = issue.labels;
    Raise(event);
  }
  return issue;
}

void World::SetLabels(Repo& repo, const User& actor, Issue& issue,
                      const std::vector<std::string>& labels) {
  std::vector<std::string> wanted = Known(repo, labels);
  if (wanted == issue.labels) return;
  Event event = EventOn(repo, actor, issue, Happening::kLabelsChanged);
  event.labels_before = std::exchange(issue.labels, wanted);
  event.labels_after = std::move(wanted);
  issue.updated_at = Now();
  RecordLabels(issue, actor, event.labels_before);
  Raise(event);
}

void World::SetAssignees(Repo& repo, const User& actor, Issue& issue, std::vector<Id> assignees) {
  if (assignees == issue.assignees) return;
  Event event = EventOn(repo, actor, issue, Happening::kAssigneesChanged);
  event.assignees_before = std::exchange(issue.assignees, std::move(assignees));
  event.assignees_after = issue.assignees;
  if (event.on_pull) return;  // nobody asks for these
  issue.updated_at = Now();
  RecordAssignees(issue, actor, event.assignees_before);
  Raise(event);
}

void World::DeleteIssue(Repo& repo, const User& actor, std::int64_t number) {
  Issue* const issue = FindIssue(repo, number);
  if (issue == nullptr) return;
  Raise(EventOn(repo, actor, *issue, Happening::kIssueDeleted));
  repo.issues.erase(number);
  repo.departed[number] = {};
}

Issue& World::MoveIssue(Repo& repo, const User& actor, Issue& issue, Repo& target) {
  const auto known_there = [&](const std::string& name) {
    return std::ranges::any_of(target.labels, [&](const Label& l) { return l.name == name; });
  };
  std::vector<std::string> labels;
  std::ranges::copy_if(issue.labels, std::back_inserter(labels), known_there);
  Issue& moved = OpenIssue(target, UserOf(issue.author), issue.title, issue.body, labels);
  moved.notes = issue.notes;
  if (dialect_ == Dialect::kGitLab) {
    issue.moved_to = moved.id;
    SetOpen(repo, actor, issue, false, "");
    return moved;
  }
  Event event = EventOn(repo, actor, issue, Happening::kIssueTransferred);
  event.target_repo = target.id;
  event.target_number = moved.number;
  Raise(event);
  const std::int64_t number = issue.number;
  repo.issues.erase(number);
  repo.departed[number] = {target.id, moved.number};
  return moved;
}

void World::SetOpen(Repo& repo, const User& actor, Issue& issue, bool open,
                    std::string_view state_reason) {
  if (issue.open == open) return;
  Event event =
      EventOn(repo, actor, issue, open ? Happening::kIssueReopened : Happening::kIssueClosed);
  if (event.on_pull) event.what = open ? Happening::kPullReopened : Happening::kPullClosed;
  issue.open = open;
  issue.updated_at = Now();
  issue.closed_by = open ? 0 : actor.id;
  issue.closed_at = open ? std::nullopt : std::optional<WallTime>(Now());
  issue.state_reason = state_reason;
  Record(issue, actor, open ? Act::Kind::kReopened : Act::Kind::kClosed);
  Raise(event);
}

void World::SetDraft(Repo& repo, const User& actor, Issue& issue, bool draft) {
  Pull* const pull = FindPull(repo, issue.number);
  if (pull == nullptr || pull != &issue || pull->draft == draft) return;
  pull->draft = draft;
  pull->updated_at = Now();
  Raise(EventOn(repo, actor, issue,
                draft ? Happening::kPullConvertedToDraft : Happening::kPullReadyForReview));
}

void World::Update(Repo& repo, const User& actor, Issue& issue, const IssueChange& change) {
  Event edited = EventOn(repo, actor, issue, Happening::kIssueEdited);
  if (edited.on_pull) edited.what = Happening::kPullEdited;
  edited.title_before = issue.title;
  edited.body_before = issue.body;
  if (change.title) issue.title = *change.title;
  if (change.body) issue.body = *change.body;
  bool differs = issue.title != edited.title_before || issue.body != edited.body_before;
  if (change.base_ref && edited.on_pull) {
    Pull& pull = repo.pulls.at(issue.number);
    differs = differs || pull.base_ref != *change.base_ref;
    pull.base_ref = *change.base_ref;
  }
  if (differs) {
    issue.updated_at = Now();
    if (issue.title != edited.title_before) {
      Record(issue, actor, Act::Kind::kRenamed, "", edited.title_before);
    }
    if (issue.body != edited.body_before) Record(issue, actor, Act::Kind::kDescribed);
    Raise(edited);
  }
  if (change.draft) SetDraft(repo, actor, issue, *change.draft);
  if (change.labels) SetLabels(repo, actor, issue, *change.labels);
  if (change.assignees) SetAssignees(repo, actor, issue, *change.assignees);
  if (change.open) {
    const std::string usual = edited.on_pull ? "" : *change.open ? "reopened" : "completed";
    SetOpen(repo, actor, issue, *change.open, change.state_reason.value_or(usual));
  }
}

Note& World::AddNote(Repo& repo, const User& actor, Issue& issue, std::string_view body) {
  Note note;
  note.id = NextId();
  note.author = actor.id;
  note.body = body;
  note.created_at = note.updated_at = issue.updated_at = Now();
  issue.notes.push_back(std::move(note));
  Event event = EventOn(repo, actor, issue, Happening::kNoteCreated);
  event.note = issue.notes.back().id;
  Raise(event);
  return issue.notes.back();
}

void World::EditNote(Repo& repo, const User& actor, Issue& issue, Note& note,
                     std::string_view body) {
  Event event = EventOn(repo, actor, issue, Happening::kNoteEdited);
  event.note = note.id;
  event.body_before = std::exchange(note.body, std::string(body));
  note.updated_at = Now();
  Raise(event);
}

void World::DeleteNote(Repo& repo, const User& actor, Issue& issue, Id id) {
  Event event = EventOn(repo, actor, issue, Happening::kNoteDeleted);
  event.note = id;
  Raise(event);  // while it can still be described
  std::erase_if(issue.notes, [id](const Note& note) { return note.id == id; });
}

std::pair<Award*, bool> World::AddAward(std::vector<Award>& awards, const User& actor,
                                        std::string_view content) {
  for (Award& award : awards) {
    if (award.user == actor.id && award.content == content) return {&award, false};
  }
  awards.push_back({NextId(), actor.id, std::string(content), Now()});
  return {&awards.back(), true};
}

}  // namespace swage::sandbox
