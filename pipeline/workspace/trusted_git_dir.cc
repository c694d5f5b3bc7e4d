#include "pipeline/workspace/trusted_git_dir.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "config/base/files.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

// Each of these, in the trusted git directory of the worktree, would change what git does there.
constexpr std::array<std::string_view, 4> kForbidden = {"config.worktree", "config", "hooks",
                                                        "info"};

}  // namespace

std::string HeadOnBranch(std::string_view branch) {
  return fmt::format("ref: refs/heads/{}\n", branch);
}

std::string DetachedHead(const CommitSha& commit) {
  return commit.value + "\n";
}

Result<void> RegisterTree(const fs::path& admin, const fs::path& root, std::string_view head,
                          std::string_view mirror) {
  SWAGE_RETURN_IF_ERROR(MakeDirs(admin));
  SWAGE_RETURN_IF_ERROR(WriteFileFast(admin / "commondir", fmt::format("{}\n", mirror)));
  SWAGE_RETURN_IF_ERROR(WriteFileFast(admin / "gitdir", (root / ".git").string() + "\n"));
  // Keeps any prune away.
  SWAGE_RETURN_IF_ERROR(WriteFileFast(admin / "locked", "a task's workspace\n"));
  return WriteFileFast(admin / "HEAD", head);
}

Result<void> GuardTree(const fs::path& admin, std::string_view head,
                       std::vector<std::string>& warnings) {
  std::error_code ignored;
  fs::remove(admin / "index.lock", ignored);  // of a git that was killed; no other one runs here
  for (const std::string_view name : kForbidden) {
    if (!fs::exists(fs::symlink_status(admin / name, ignored))) continue;
    SWAGE_RETURN_IF_ERROR(RemoveTree(admin / name));
    warnings.push_back(
        fmt::format("somebody had put {} into the worktree's git directory; it was removed", name));
  }
  const std::string common = fmt::format("{}\n", kMirrorAbove);
  for (const auto& [name, bytes] :
       {std::pair<std::string_view, std::string_view>{"commondir", common}, {"HEAD", head}}) {
    const auto found = ReadFile(admin / name);
    if (found.ok() && *found == bytes) continue;
    SWAGE_RETURN_IF_ERROR(RemoveTree(admin / name));
    SWAGE_RETURN_IF_ERROR(WriteFileFast(admin / name, bytes));
    warnings.push_back(fmt::format("the worktree's {} had been changed; it was put back", name));
  }
  return Ok();
}

}  // namespace swage
