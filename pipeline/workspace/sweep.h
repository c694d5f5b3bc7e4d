// Finds and removes what a crash left: workspaces whose task is over, and worktrees in mirrors
// whose workspace is gone (C11).
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/ids.h"
#include "config/base/result.h"

namespace swage {

/// TASK-RUNTOKEN: the name of a workspace. A token is eight hexadecimal digits.
std::string WorkspaceName(TaskId task, std::string_view token);
/// The task of a name that WorkspaceName made; nothing for any other name.
std::optional<TaskId> TaskOfWorkspace(std::string_view name);

/// Removes every workspace that `is_orphan` says yes to, in `data_dir`/workspaces and in the
/// mirrors. Returns the names of what was removed. Other names are never touched. Goes on after a
/// failure and returns the first one at the end.
Result<std::vector<std::string>> RemoveOrphans(
    const std::filesystem::path& data_dir,
    const std::function<bool(const std::string&, TaskId)>& is_orphan);

}  // namespace swage
