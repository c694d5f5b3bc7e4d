// The diff of a pull request, from the bare repository: files, patches, and which lines can be
// commented.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"

namespace swage::sandbox {

struct FileDiff {
  std::string path;  ///< in the head; of a removed file, in the base
  std::string old_path;
  std::string status;    ///< added, removed, modified, renamed
  std::string blob_sha;  ///< in the head; of a removed file, in the base
  std::string old_mode;  ///< "100644", "0" when absent
  std::string new_mode;
  int additions = 0;
  int deletions = 0;
  bool binary = false;
  std::string patch;  ///< hunks only, no file header
  std::set<int>
      right_lines;  ///< lines of the head version that appear in a hunk (added or context)
  std::set<int>
      left_lines;  ///< lines of the base version that appear in a hunk (removed or context)
  std::set<int> added_lines;     ///< of the head
  std::set<int> removed_lines;   ///< of the base
  std::map<int, int> unchanged;  ///< context inside hunks: head line -> base line

  /// The patch from the hunk's header down to the line, as GitHub's diff_hunk.
  std::string HunkAbove(bool right, int line) const;
};

/// merge-base(base, head)..head, renames detected, three lines of context.
/// Errors: kNotFound for unknown commits, kInternal.
Result<std::vector<FileDiff>> DiffOf(const std::filesystem::path& git_dir,
                                     std::string_view base_sha, std::string_view head_sha);

}  // namespace swage::sandbox
