#include "pipeline/reconcile/poll_events.h"

#include <algorithm>

#include "pipeline/labelling.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

// No account has this id; what it did counts for stopping work, never for starting any.
Actor Somebody() {
  return {"0", "somebody", false};
}

Actor ActorOf(const ThreadAct* act) {
  return act == nullptr || act->actor.id.empty() ? Somebody() : act->actor;
}

std::vector<std::string> TriggersAmong(const std::vector<std::string>& labels,
                                       std::string_view trigger) {
  std::vector<std::string> triggers;
  for (const std::string& label : labels) {
    if (IsTrigger(label, trigger)) triggers.push_back(label);
  }
  return triggers;
}

bool EndedWithItsIssue(const std::optional<Task>& task) {
  return task && task->state == TaskState::kCancelled && messages::TellsOfClosing(task->reason);
}

// Whoever reopened it stands for its text as it read then; what was edited later is for somebody to
// ask for anew (T18).
std::optional<Event> EventOfReopening(const RepoRef& repo, const Issue& issue,
                                      const ThreadAct* reopened,
                                      const std::vector<ThreadAct>& acts) {
  if (reopened == nullptr) return IssueReopened{repo, {}, issue};
  const bool edited = std::ranges::any_of(acts, [&](const ThreadAct& act) {
    return act.kind == ThreadAct::Kind::kTextEdited && act.at > reopened->at;
  });
  if (edited) return std::nullopt;
  return IssueReopened{repo, reopened->actor, issue, reopened->id};
}

}  // namespace

std::optional<Event> EventOfIssue(const RepoRef& repo, const Issue& issue,
                                  const std::optional<Task>& task, bool by_label,
                                  const std::vector<ThreadAct>& acts, const Triggers& triggers,
                                  const Actor& self) {
  const std::string& trigger = triggers.label;
  const bool active = task && IsActive(task->state);
  if (active && !issue.open) {
    return IssueGone{repo, ActorOf(LastAct(acts, ThreadAct::Kind::kClosed, trigger)), issue,
                     GoneReason::kClosed};
  }
  std::vector<std::string> labels = TriggersAmong(issue.labels, trigger);
  const bool assigned = triggers.Means(issue.assignees, self);
  if (active && by_label && labels.empty() && !assigned) {
    const ThreadAct* act = LastAct(acts, ThreadAct::Kind::kUnlabeled, trigger);
    const ThreadAct* unassigned = LastUnassignment(acts, self);
    if (unassigned != nullptr && (act == nullptr || unassigned->at >= act->at)) {
      return IssueUnassigned{repo, ActorOf(unassigned), issue, {self.id}};
    }
    return IssueUnlabeled{
        repo, ActorOf(act), issue, {act == nullptr ? std::string(trigger) : act->label}};
  }
  const bool free = !task || IsTerminal(task->state);
  if (!free || !issue.open || (labels.empty() && !assigned)) return std::nullopt;
  if (EndedWithItsIssue(task)) {
    const ThreadAct* reopened = LastAct(acts, ThreadAct::Kind::kReopened, trigger);
    const ThreadAct* labeled = LastAct(acts, ThreadAct::Kind::kLabeled, trigger);
    const std::optional<Wish> given = CurrentAssignment(acts, self);
    // Asked for once more after that, it is that which counts.
    const bool asked_again = reopened && ((labeled && labeled->at > reopened->at) ||
                                          (given && given->act.at > reopened->at));
    if (!asked_again) return EventOfReopening(repo, issue, reopened, acts);
  }
  if (labels.empty()) return IssueAssigned{repo, {}, issue, {self.id}, {}, true};
  return IssueLabeled{repo, {}, issue, std::move(labels), {}, true};
}

std::optional<Event> EventOfMissingIssue(const Task& task) {
  if (!IsActive(task.state)) return std::nullopt;
  Issue issue;
  issue.number = task.issue_number;
  issue.open = false;
  return IssueGone{task.repo, Somebody(), issue, GoneReason::kDeleted};
}

std::optional<Event> EventOfPull(const RepoRef& repo, const PullRequest& pull, const Task& task,
                                 const std::vector<ThreadAct>& acts) {
  if (task.state == TaskState::kMerged || task.state == TaskState::kClosed) return std::nullopt;
  if (pull.state != PullRequestState::kOpen) {
    const bool merged = pull.state == PullRequestState::kMerged;
    const ThreadAct* act =
        LastAct(acts, merged ? ThreadAct::Kind::kMerged : ThreadAct::Kind::kClosed, "");
    return PullRequestClosed{repo, ActorOf(act), pull.number, pull.head_branch, merged};
  }
  if (task.state == TaskState::kInReview && pull.head_sha != task.pushed) {
    return PullRequestPushed{repo, {}, pull.number, pull.head_branch, pull.head_sha};
  }
  return std::nullopt;
}

ReviewSubmitted EventOfReview(const Task& task, const Review& review) {
  const Comment& text = review.text;
  return {task.repo, text.author, task.pr_number, text.body, true, true, review.id, false};
}

std::optional<Event> EventOfComment(const RepoRef& repo, const FoundComment& found,
                                    const std::vector<ThreadChange>& changed) {
  if (found.edited || found.thread.number <= 0) return std::nullopt;
  CommentCreated event{repo, found.comment.author, found.thread, found.comment, true, {}};
  for (const ThreadChange& change : changed) {
    const bool same =
        change.thread.kind == found.thread.kind && change.thread.number == found.thread.number;
    if (same && change.issue) {
      event.thread_open = change.issue->open;
      event.issue = change.issue;
    }
  }
  return event;
}

}  // namespace swage
