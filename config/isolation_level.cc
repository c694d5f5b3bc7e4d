#include "config/isolation_level.h"

#include "config/base/text.h"

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

std::string Names(const LevelSet& levels) {
  std::string names;
  for (const IsolationLevel level : kIsolationLevels) {
    if (!levels.Has(level)) continue;
    if (!names.empty()) names.push_back(' ');
    names.append(Name(level));
  }
  return names;
}

LevelSet ParseLevelSet(std::string_view names) {
  LevelSet levels;
  for (const std::string_view name : Split(names, ' ')) {
    if (const auto level = ParseIsolationLevel(name)) levels.Add(*level);
  }
  return levels;
}

}  // namespace swage
