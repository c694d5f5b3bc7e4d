#include "pipeline/takeover.h"

#include <fmt/format.h>

#include "pipeline/effects.h"
#include "pipeline/labelling.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

Result<std::optional<Objection>> ObjectionToPull(Forge& forge, const Task& task) {
  SWAGE_ASSIGN_OR_RETURN(const PullRequest pull, forge.GetPullRequest(task.repo, task.pr_number));
  switch (pull.state) {
    case PullRequestState::kOpen:
      return std::optional<Objection>();
    case PullRequestState::kClosed:
      return std::optional(
          Objection{TaskState::kClosed, messages::PullRequestClosedBy("somebody", false)});
    case PullRequestState::kMerged:
      return std::optional(
          Objection{TaskState::kMerged, messages::PullRequestClosedBy("somebody", true)});
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

}  // namespace

Result<std::optional<Objection>> FindObjection(Forge& forge, Store& store, const Task& task,
                                               const Triggers& triggers) {
  if (task.pr_number != 0) return ObjectionToPull(forge, task);
  const Result<Issue> issue = forge.GetIssue(task.repo, task.issue_number);
  if (!issue.ok() && issue.error().code != ErrorCode::kNotFound) return issue.error();
  if (!issue.ok() || !issue->open) {
    return std::optional(Objection{TaskState::kCancelled, messages::ClosedBeforePullRequest()});
  }
  SWAGE_ASSIGN_OR_RETURN(const bool by_label, store.IsByLabel(task.id));
  if (!by_label || TriggerProfile(issue->labels, triggers.label)) {
    return std::optional<Objection>();
  }
  SWAGE_ASSIGN_OR_RETURN(const Actor self, forge.GetSelf());
  if (!triggers.Means(issue->assignees, self)) {
    return std::optional(Objection{TaskState::kCancelled, messages::TakenBackBeforePullRequest()});
  }
  return std::optional<Objection>();
}

Result<bool> IsIssueOpen(Forge& forge, const RepoRef& repo, std::int64_t number) {
  const Result<Issue> issue = forge.GetIssue(repo, number);
  if (!issue.ok() && issue.error().code != ErrorCode::kNotFound) return issue.error();
  return issue.ok() && issue->open;
}

Result<std::optional<CommitSha>> FindOwnHead(Workspaces& workspaces, Forge& forge, const Task& task,
                                             const std::string& base_branch,
                                             const std::string& email, std::stop_token stop) {
  const OwnMark mark{email, messages::TaskTrailer(task)};
  SWAGE_ASSIGN_OR_RETURN(const GitRemote remote, forge.Remote(task.repo, GitAccess::kRead));
  return workspaces.FindOwnBranch(task.repo, remote, task.branch, base_branch, task.base_sha, mark,
                                  std::move(stop));
}

NewEffect TakenOver(const Task& task, std::string_view command_prefix) {
  return CommentOnce(task, {ThreadKind::kPullRequest, task.pr_number},
                     fmt::format("took-over-{}-{}", task.id.value, task.pushed.value),
                     [&](auto marker) { return messages::TookOver(marker, command_prefix); });
}

}  // namespace swage
