// The levels at which a task's commands can be kept apart, as settings and policies name them.
#pragma once

#include <optional>
#include <string_view>

namespace swage {

/// Cheapest first: a later level keeps out all that an earlier one does.
enum class IsolationLevel { kShared, kWorktree, kSandbox, kContainer };

inline constexpr IsolationLevel kIsolationLevels[] = {
    IsolationLevel::kShared, IsolationLevel::kWorktree, IsolationLevel::kSandbox,
    IsolationLevel::kContainer};

std::string_view Name(IsolationLevel level);  ///< "worktree": as written in the YAML and stored
std::optional<IsolationLevel> ParseIsolationLevel(std::string_view name);

}  // namespace swage
