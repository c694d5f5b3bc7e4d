// `.worktreeinclude`: files that git ignores and a build needs all the same, as a local
// configuration (C8).
//
// They come from a folder that the operator keeps on this machine, never from another task. As
// with other tools that know the file, a path is copied when the patterns name it and git ignores
// it; nothing tracked is ever replaced. Whatever becomes of the ignore rules afterwards, no
// snapshot takes them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/file_owner.h"
#include "pipeline/workspace/git.h"

namespace swage {

inline constexpr std::string_view kIncludeFile = ".worktreeinclude";
inline constexpr std::size_t kMaxIncluded = 2'000;                          ///< files
inline constexpr std::uint64_t kMaxIncludedBytes = std::uint64_t{1} << 30;  ///< all together

struct IncludePlace {
  std::filesystem::path git_dir;    ///< the trusted one of the worktree
  std::filesystem::path work_tree;  ///< fresh from the checkout
  std::filesystem::path scratch;    ///< a folder of the bot's own
  std::optional<FileOwner> owner;   ///< of the copies
};

/// Copies regular files, never through a link; returns their paths. `patterns` are those of the
/// base branch. Errors: kTooLarge, kInvalid (no such folder), kInternal.
Result<std::vector<std::string>> IncludeIgnored(const Git& git, const IncludePlace& place,
                                                const std::filesystem::path& source,
                                                std::string_view patterns);

/// Takes the paths out of an index; those that are not in it are no error. False: none was.
Result<bool> Unstage(const std::filesystem::path& index_file,
                     const std::vector<std::string>& paths);

}  // namespace swage
