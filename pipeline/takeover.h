// Takeover: whose the work is. Asked before a claimed task is worked on and before its pull request
// appears: the word that nobody wants it any more may have been lost (X11, X24), and a branch that
// somebody pushed to is theirs (F8, X25).
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "forge/forge.h"
#include "pipeline/labelling.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// Why the work must end, and as what.
struct Objection {
  TaskState to = TaskState::kCancelled;
  std::string reason;
};

/// Asks the forge. A task without a pull request needs its issue, open and (when the
/// label or an assignment asked for it) one of the two; one with a pull request needs that open.
/// Errors: as Forge.
Result<std::optional<Objection>> FindObjection(Forge& forge, Store& store, const Task& task,
                                               const Triggers& triggers);

/// Whether others still wait for it: one that is gone holds nothing up. Errors: as
/// Forge::GetIssue, but for kNotFound.
Result<bool> IsIssueOpen(Forge& forge, const RepoRef& repo, std::int64_t number);

/// The head of the task's branch at the forge, when all of it is the bot's own (X26, X29): made as
/// `email`. Errors: as Workspaces::FindOwnBranch.
Result<std::optional<CommitSha>> FindOwnHead(Workspaces& workspaces, Forge& forge, const Task& task,
                                             const std::string& base_branch,
                                             const std::string& email, std::stop_token stop);

/// Says on the pull request that the branch is theirs now: once per head of ours, whoever notices.
/// Pure.
NewEffect TakenOver(const Task& task, std::string_view command_prefix);

}  // namespace swage
