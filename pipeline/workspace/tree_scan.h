// Makes a directory that an agent has left fit to be taken by git, without following any link.
//
// Removed from it: git directories below the root (a nested repository would be taken as a
// submodule, and its configuration could run programs, T33), and pipes, sockets and devices, which
// git cannot store. Made readable again: files and directories whose owner may not read them.
// Reported: files too large to commit. Works on descriptors (openat, O_NOFOLLOW), bounded in depth
// and number.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/base/result.h"

namespace swage {

struct TreeScan {
  std::vector<std::string> warnings;     ///< what was moved or removed, one sentence each
  std::vector<std::string> large_files;  ///< relative paths, also of files that git would ignore
};

/// Nested git directories are moved into `quarantine`, which must be on the same file system and is
/// made when needed. The root's own `.git` is not looked at. Errors: kTooLarge (too deep, too
/// many), kInternal.
Result<TreeScan> ScanTree(const std::filesystem::path& root,
                          const std::filesystem::path& quarantine, std::uintmax_t large_bytes);

/// Whether some file system or version of git takes `name` for ".git": any case, with trailing
/// dots, blanks or a stream name, or as NTFS's short name. Pure.
bool LooksLikeDotGit(std::string_view name);

}  // namespace swage
