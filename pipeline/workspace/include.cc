#include "pipeline/workspace/include.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <system_error>

#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/runtime/copy_tree.h"
#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/tree_scan.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr std::size_t kMaxListBytes = 8 << 20;

Error Failure(std::string_view act, std::string_view path) {
  return MakeError(ErrorCode::kInternal,
                   fmt::format("{} {}: {}", act, ToValidUtf8(path),
                               std::error_code(errno, std::generic_category()).message()));
}

// What git lists of `tree` with the index of the worktree: never what is tracked.
Result<std::vector<std::string>> ListOthers(const Git& git, const fs::path& git_dir,
                                            const fs::path& tree, std::string exclude) {
  GitCall call;
  call.git_dir = git_dir;
  call.work_tree = tree;
  call.arguments = {"ls-files", "-z", "--others", "--ignored", std::move(exclude)};
  call.output_cap = kMaxListBytes;
  SWAGE_ASSIGN_OR_RETURN(const std::string listed, git.Run(call));
  std::vector<std::string> paths;
  for (const std::string_view path : Split(listed, '\0')) {
    if (!path.empty() && !path.ends_with('/')) paths.emplace_back(path);
  }
  return paths;
}

bool IsBelowDotGit(std::string_view path) {
  for (const std::string_view part : Split(path, '/')) {
    if (LooksLikeDotGit(part)) return true;
  }
  return false;
}

// The folder of a path below `root`, made where it is missing. A link on the way is an error.
Result<Fd> OpenFolder(const fs::path& root, std::string_view path,
                      const std::optional<FileOwner>& owner) {
  Fd at(open(root.c_str(), kOpenDirectory));
  if (!at.valid()) return Failure("open", root.string());
  std::vector<std::string_view> parts = Split(path, '/');
  parts.pop_back();
  for (const std::string_view part : parts) {
    const std::string name(part);
    const bool made = mkdirat(at.get(), name.c_str(), 0755) == 0;
    if (!made && errno != EEXIST) return Failure("create", path);
    Fd next(openat(at.get(), name.c_str(), kOpenDirectory));
    if (!next.valid()) return Failure("enter", path);
    if (made && owner && fchown(next.get(), owner->uid, owner->gid) != 0) {
      return Failure("give away", path);
    }
    at = std::move(next);
  }
  return at;
}

}  // namespace

Result<std::vector<std::string>> IncludeIgnored(const Git& git, const IncludePlace& place,
                                                const fs::path& source, std::string_view patterns) {
  std::error_code ignored;
  if (!fs::is_directory(source, ignored)) {
    return MakeError(
        ErrorCode::kInvalid,
        fmt::format("workspaces.include names {}, which is no folder", source.string()));
  }
  const fs::path rules = place.scratch / "include-patterns";
  SWAGE_RETURN_IF_ERROR(WriteFileFast(rules, patterns));
  SWAGE_ASSIGN_OR_RETURN(const auto wanted, ListOthers(git, place.git_dir, source,
                                                       "--exclude-from=" + rules.string()));
  if (wanted.size() > kMaxIncluded) {
    return MakeError(ErrorCode::kTooLarge,
                     fmt::format("{} names more than {} files", kIncludeFile, kMaxIncluded));
  }
  std::uint64_t bytes = kMaxIncludedBytes;
  std::vector<std::string> copied;
  for (const std::string& path : wanted) {
    if (IsBelowDotGit(path)) continue;
    const auto file = OpenBeneath(source, path);
    if (!file.ok()) continue;  // a link, or no regular file
    auto folder = OpenFolder(place.work_tree, path, place.owner);
    if (!folder.ok()) continue;
    const std::string name = path.substr(path.rfind('/') + 1);
    struct stat there {};
    if (fstatat(folder->get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) continue;
    SWAGE_RETURN_IF_ERROR(CopyFileAt(file->get(), folder->get(), name.c_str(), bytes, place.owner));
    copied.push_back(path);
  }
  if (copied.empty()) return copied;
  // Only now that they are there does git say whether the repository's own rules ignore them.
  SWAGE_ASSIGN_OR_RETURN(const auto listed,
                         ListOthers(git, place.git_dir, place.work_tree, "--exclude-standard"));
  const std::set<std::string> ignorable(listed.begin(), listed.end());
  std::vector<std::string> included;
  for (std::string& path : copied) {
    if (ignorable.contains(path)) {
      included.push_back(std::move(path));
    } else {
      SWAGE_RETURN_IF_ERROR(RemoveTree(place.work_tree / path));
    }
  }
  return included;
}

Result<bool> Unstage(const fs::path& index_file, const std::vector<std::string>& paths) {
  if (paths.empty()) return false;
  SWAGE_ASSIGN_OR_RETURN(const git2::Index index, git2::OpenIndex(index_file));
  int code = 0;
  bool changed = false;
  for (const std::string& path : paths) {
    if (git_index_get_bypath(index.get(), path.c_str(), 0) == nullptr) continue;
    code = git_index_remove(index.get(), path.c_str(), 0);
    changed = true;
    if (code != 0) break;
  }
  if (code == 0 && changed) code = git_index_write(index.get());
  if (code != 0) return git2::FailureOf(code, "leave included files out");
  return changed;
}

}  // namespace swage
