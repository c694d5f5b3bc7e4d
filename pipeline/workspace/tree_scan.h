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

/// What lies in the upper directory of an overlay: what differs, or may differ, from its base.
/// Relative paths; the root's own `.git` is left out.
struct UpperChanges {
  std::vector<std::string> files;        ///< new, changed, or moved here with their directory
  std::vector<std::string> directories;  ///< new, or with something changed in them
  std::vector<std::string> removed;      ///< files and directories of the base that are gone
  std::vector<std::string> hidden;       ///< directories that show nothing of the base's
  bool Empty() const {
    return files.empty() && directories.empty() && removed.empty() && hidden.empty();
  }
};

/// Nested git directories are moved into `quarantine`, which must be on the same file system and is
/// made when needed. The root's own `.git` is not looked at. Errors: kTooLarge (too deep, too
/// many), kInternal.
Result<TreeScan> ScanTree(const std::filesystem::path& root,
                          const std::filesystem::path& quarantine, std::uintmax_t large_bytes);

/// As ScanTree, for an overlay on `root` with this `upper` directory: what the base shows through
/// is not looked at, and what is changed is noted. Nested git directories are removed, being on
/// another file system than the quarantine.
Result<TreeScan> ScanOverlay(const std::filesystem::path& root, const std::filesystem::path& upper,
                             const std::filesystem::path& quarantine, std::uintmax_t large_bytes,
                             UpperChanges& changes);

/// What ScanOverlay notes, without touching anything: nested git directories are files like others.
Result<UpperChanges> ListUpper(const std::filesystem::path& root,
                               const std::filesystem::path& upper);

/// Whether some file system or version of git takes `name` for ".git": any case, with trailing
/// dots, blanks or a stream name, or as NTFS's short name. Pure.
bool LooksLikeDotGit(std::string_view name);

}  // namespace swage
