// The files of a commit, by path: reads the trees that lead to the paths it is asked for, and no
// others. For one thread.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/workspace/git_library.h"

namespace swage {

class CommitFiles {
 public:
  /// Errors: kInvalid, kNotFound (no such commit).
  static Result<CommitFiles> Open(const std::filesystem::path& git_dir, const CommitSha& commit);

  /// Of the file, link or submodule of this path; GIT_FILEMODE_UNREADABLE for all else.
  git_filemode_t ModeOf(std::string_view path);
  /// Of the blob or the submodule's commit; zero where ModeOf finds nothing.
  git_oid IdOf(std::string_view path);
  bool Has(std::string_view path) { return ModeOf(path) != GIT_FILEMODE_UNREADABLE; }
  bool HasDirectory(std::string_view path) { return Directory(path) != nullptr; }
  /// All files, links and submodules below a directory; none when it is no directory.
  std::vector<std::string> Below(const std::string& directory);
  /// Those of these files that `other`, a commit of the same repository, has not, or has otherwise.
  Result<std::vector<std::string>> NotAsIn(const CommitSha& other);
  /// The tree with these changes. Nothing: one of them makes a file of a directory, or the like.
  Result<std::optional<TreeSha>> With(const std::vector<git_tree_update>& updates);
  /// Whether every tree could be read: the answers above are of no worth otherwise.
  Result<void> Intact() const { return intact_; }

 private:
  explicit CommitFiles(git2::Repository repository) : repository_(std::move(repository)) {}

  git_tree* Directory(std::string_view path);
  const git_tree_entry* Entry(std::string_view path);

  git2::Repository repository_;
  std::map<std::string, git2::Tree, std::less<>> trees_;  // null = there is none; "" is the root
  Result<void> intact_;
};

}  // namespace swage
