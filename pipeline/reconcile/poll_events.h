// What a change at a forge means for a task: facts in, events out. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "forge/event.h"
#include "forge/feed.h"
#include "pipeline/labelling.h"
#include "pipeline/task.h"

namespace swage {

/// The event that a webhook would have brought, if the task (the issue's newest) does not know of
/// it yet. `acts` is read only for who did it; empty = somebody, or for what begins work nobody.
std::optional<Event> EventOfIssue(const RepoRef& repo, const Issue& issue,
                                  const std::optional<Task>& task, bool by_label,
                                  const std::vector<ThreadAct>& acts, const Triggers& triggers,
                                  const Actor& self);
/// As above for an issue that is not found any more.
std::optional<Event> EventOfMissingIssue(const Task& task);
/// `task` is the one that the pull request belongs to.
std::optional<Event> EventOfPull(const RepoRef& repo, const PullRequest& pull, const Task& task,
                                 const std::vector<ThreadAct>& acts);
/// One that asks for changes, of the task's pull request.
ReviewSubmitted EventOfReview(const Task& task, const Review& review);
/// Nothing for edited comments: nobody knows who wrote what they say now (T19).
std::optional<Event> EventOfComment(const RepoRef& repo, const FoundComment& found,
                                    const std::vector<ThreadChange>& changed);

}  // namespace swage
