// What the sandbox forge does inside a bare repository, over libgit2. Stateless functions; each
// opens the repository anew. Blocking, local disk only. Not to be called for the same repository
// from two threads.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "config/base/result.h"

namespace swage::sandbox {

inline constexpr std::string_view kZeroSha = "0000000000000000000000000000000000000000";

struct Person {
  std::string name;
  std::string email;
  WallTime at{};
};

struct CommitInfo {
  std::string sha;
  std::string tree;
  std::string message;
  Person author;
  Person committer;
  std::vector<std::string> parents;
};

struct TreeEntry {
  std::string path;
  std::string type;  ///< blob, tree, commit
  std::string sha;
  std::string mode;
  std::size_t size = 0;
};

/// A new bare repository with HEAD at refs/heads/`branch`.
Result<void> InitBare(const std::filesystem::path& git_dir, std::string_view branch);
/// refs/... -> sha, for refs below `prefix`.
std::map<std::string, std::string> ListRefs(const std::filesystem::path& git_dir,
                                            std::string_view prefix);
/// A branch, tag, full ref or (abbreviated) sha; peeled to a commit. kNotFound.
Result<std::string> ResolveCommit(const std::filesystem::path& git_dir, std::string_view name);
/// The exact ref, not peeled. kNotFound.
Result<std::string> ReadRef(const std::filesystem::path& git_dir, std::string_view ref);
/// kConflict when it exists and !force; kNotFound when the object does not; kInvalid for bad names.
Result<void> WriteRef(const std::filesystem::path& git_dir, std::string_view ref,
                      std::string_view sha, bool force);
Result<void> DeleteRef(const std::filesystem::path& git_dir, std::string_view ref);

Result<CommitInfo> ReadCommit(const std::filesystem::path& git_dir, std::string_view sha);
/// Commits reachable from head and not from base, oldest first, at most `max`.
Result<std::vector<CommitInfo>> CommitsBetween(const std::filesystem::path& git_dir,
                                               std::string_view base, std::string_view head,
                                               std::size_t max = 250);
/// Newest first from `head`.
Result<std::vector<CommitInfo>> History(const std::filesystem::path& git_dir, std::string_view head,
                                        std::size_t max = 250);
Result<std::string> MergeBase(const std::filesystem::path& git_dir, std::string_view a,
                              std::string_view b);
bool IsAncestor(const std::filesystem::path& git_dir, std::string_view ancestor,
                std::string_view sha);

struct Blob {
  std::string sha;
  std::string bytes;
};
/// kNotFound when absent, kInvalid when it is a directory.
Result<Blob> ReadBlobAt(const std::filesystem::path& git_dir, std::string_view commit,
                        std::string_view path);
/// The entries of a directory ("" = root).
Result<std::vector<TreeEntry>> ListTreeAt(const std::filesystem::path& git_dir,
                                          std::string_view commit, std::string_view path);

/// Commits `changes` (path -> bytes) on top of `branch` (which may not exist yet); returns the
/// commit.
Result<std::string> CommitFiles(const std::filesystem::path& git_dir, std::string_view branch,
                                const std::map<std::string, std::string>& changes,
                                std::string_view message, const Person& author);
/// As CommitFiles, removing a path.
Result<std::string> RemoveFile(const std::filesystem::path& git_dir, std::string_view branch,
                               std::string_view path, std::string_view message,
                               const Person& author);

/// Whether `head` merges into `base` without conflict.
Result<bool> MergesCleanly(const std::filesystem::path& git_dir, std::string_view base,
                           std::string_view head);
/// Merges `head` into branch `base_ref` and moves the branch; squash = one parent. kConflict.
Result<std::string> MergeInto(const std::filesystem::path& git_dir, std::string_view base_ref,
                              std::string_view head, std::string_view message, const Person& author,
                              bool squash);

}  // namespace swage::sandbox
