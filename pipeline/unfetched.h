// What a repository names and a workspace does not hold: the contents of Git LFS files, and
// submodules.
//
// Neither is fetched: both may lie on other hosts, and need other credentials than the bot has. LFS
// files stay the pointers that git holds, submodules stay empty directories, in every way to
// provision. A task is told so, and people are told when it changed an LFS file all the same: git
// takes the bytes as they are, and nothing is uploaded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/workspace/workspace.h"

namespace swage {

struct Unfetched {
  std::vector<std::string> lfs_patterns;  ///< as in the root's .gitattributes
  std::vector<std::string> submodules;    ///< paths
  bool Empty() const { return lfs_patterns.empty() && submodules.empty(); }
};

inline constexpr std::size_t kMaxUnfetched = 100;      ///< of each
inline constexpr std::size_t kMaxPointerChecks = 500;  ///< files of a diff

/// Patterns with `filter=lfs` of a .gitattributes. Pure.
std::vector<std::string> ParseLfsPatterns(std::string_view attributes);
/// Paths of a .gitmodules. Pure.
std::vector<std::string> ParseSubmodules(std::string_view modules);
/// Whether `text` is what git holds in place of an LFS file's content. Pure.
bool IsLfsPointer(std::string_view text);

/// Of a commit in the mirror: reads two files of its root. What cannot be read names nothing.
Unfetched FindUnfetched(Workspaces& workspaces, const RepoRef& repo, const CommitSha& commit);

/// Files of the diff from `base` to `head` that were pointers, or are content where one of the
/// patterns asks for a pointer. Patterns like `*.psd` and plain paths are understood, others not.
std::vector<std::string> FindTouchedLfsFiles(Workspaces& workspaces, const RepoRef& repo,
                                             const CommitSha& base, const CommitSha& head,
                                             const DiffSummary& diff, const Unfetched& unfetched);

}  // namespace swage
