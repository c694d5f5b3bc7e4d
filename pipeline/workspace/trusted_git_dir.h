// The trusted git directory of a work tree: its index and HEAD, registered in the mirror as git's
// own worktrees are, out of the reach of whoever works on the files.
//
// Written by hand: names are unique, so neither `git worktree add` nor a lock is needed.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/ids.h"
#include "config/base/result.h"

namespace swage {

std::string HeadOnBranch(std::string_view branch);
std::string DetachedHead(const CommitSha& commit);

/// Where the mirror is, seen from a directory below its `worktrees`.
inline constexpr std::string_view kMirrorAbove = "../..";

/// Makes `admin` for the files in `root`, with the objects and branches of the `mirror`. There is
/// no index yet.
Result<void> RegisterTree(const std::filesystem::path& admin, const std::filesystem::path& root,
                          std::string_view head, std::string_view mirror = kMirrorAbove);

/// Puts back what would change what git does there; every repair is named in `warnings`.
Result<void> GuardTree(const std::filesystem::path& admin, std::string_view head,
                       std::vector<std::string>& warnings);

}  // namespace swage
