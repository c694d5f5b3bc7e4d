#include "pipeline/workspace/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/workspace/overlay_mount.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kTokenBytes = 8;

}  // namespace

std::string WorkspaceName(TaskId task, std::string_view token) {
  return fmt::format("{}-{}", task.value, token);
}

std::optional<TaskId> TaskOfWorkspace(std::string_view name) {
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos || name.size() - dash - 1 != kTokenBytes) return std::nullopt;
  const std::string_view token = name.substr(dash + 1);
  if (token.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  const auto task = ParseInt(name.substr(0, dash));
  if (!task) return std::nullopt;
  return TaskId{*task};
}

Result<std::vector<std::string>> RemoveOrphans(
    const fs::path& data_dir, const std::function<bool(const std::string&, TaskId)>& is_orphan) {
  std::vector<fs::path> candidates;
  for (const fs::path& mirror : EntriesOf(data_dir / "mirrors")) {
    if (mirror.extension() != ".git") continue;
    for (fs::path& admin : EntriesOf(mirror / "worktrees")) candidates.push_back(std::move(admin));
  }
  for (fs::path& place : EntriesOf(data_dir / "workspaces")) candidates.push_back(std::move(place));

  std::set<std::string> removed;
  Result<void> outcome;
  for (const fs::path& candidate : candidates) {
    const std::string name = candidate.filename();
    const auto task = TaskOfWorkspace(name);
    if (!task || !is_orphan(name, *task)) continue;
    UnmountLeftOver(candidate / "work");
    if (auto gone = RemoveTree(candidate); gone.ok()) {
      removed.insert(name);
    } else if (outcome.ok()) {
      outcome = gone.error().With("sweep " + name);
    }
  }
  SWAGE_RETURN_IF_ERROR(std::move(outcome));
  return std::vector<std::string>(removed.begin(), removed.end());
}

}  // namespace swage
