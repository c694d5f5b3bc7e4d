#include "config/isolation_level.h"

namespace swage {

std::string_view Name(IsolationLevel level) {
  switch (level) {
    case IsolationLevel::kShared:
      return "shared";
    case IsolationLevel::kWorktree:
      return "worktree";
    case IsolationLevel::kSandbox:
      return "sandbox";
    case IsolationLevel::kContainer:
      return "container";
  }
  return "";
}

std::optional<IsolationLevel> ParseIsolationLevel(std::string_view name) {
  for (const IsolationLevel level : kIsolationLevels) {
    if (Name(level) == name) return level;
  }
  return std::nullopt;
}

}  // namespace swage
