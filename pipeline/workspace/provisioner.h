// Provisioner: how the files of one task come to be.
//
// A workspace is made of two things: the trusted git directory (trusted_git_dir.h), which is alike
// for all, and the files, for which there are ways of different cost. Each way makes the same files
// with the same index and gives the same trees; one conformance suite holds them to it. Cheapest
// first:
//   overlay   the kernel lays the task's own changes over a base checkout that tasks share; costs
//             the same whatever the size of the repository, and needs the right to mount;
//   recycled  a released worktree, scrubbed, is moved to the wanted commit;
//   plain     every file is written, and removed at the end.
// A Provisioner is safe from many threads; a WorkTree belongs to one at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/mirror.h"

namespace swage {

/// What is to be made, and where. The trusted git directory is there already, without an index.
struct TreePlan {
  Mirror mirror;
  Git git;
  std::filesystem::path place;  ///< the workspace's directory, on the file system of data_dir
  std::filesystem::path admin;  ///< the trusted git directory
  std::string branch;
  CommitSha base;
  CommitSha start;  ///< what the files begin as
  std::optional<FileOwner> owner;

  std::filesystem::path Root() const { return place / "work"; }
  std::filesystem::path Index() const { return admin / "index"; }
  /// A call of git on the files, by the trusted side.
  GitCall Call(std::vector<std::string> arguments) const;
};

enum class Untracked { kKeep, kRemove };

/// The files of one task, with a private `.git` among them. Without Release they stay as long as
/// the way allows: an overlay is gone with its process.
class WorkTree {
 public:
  virtual ~WorkTree() = default;
  /// Takes the files into the index, as `git add --all` does. What git cannot or must not take
  /// (pipes, nested repositories) is moved out of the way and named in `warnings`. Errors:
  /// kTooLarge (a file over kMaxFileBytes).
  virtual Result<void> Stage(std::vector<std::string>& warnings) = 0;
  /// The tree of what is staged; `before` is the commit before it.
  virtual Result<git2::Tree> MakeTree(git_repository* repository, git_commit* before) = 0;
  /// Makes files and index those of `commit`. Ignored files always stay.
  virtual Result<void> MoveTo(const CommitSha& commit, Untracked untracked) = 0;
  /// Writes the private `.git` anew: on the task's branch, at `commit`, with the index.
  virtual Result<void> RenewGit(const CommitSha& commit) = 0;
  /// Takes the files away, or leaves them for whoever removes the place. Twice is harmless.
  virtual Result<void> Release() = 0;
};

/// A single file larger than this is never committed: forges refuse it, and the mirror keeps it for
/// ever.
inline constexpr std::uintmax_t kMaxFileBytes = 100 << 20;

class Provisioner {
 public:
  virtual ~Provisioner() = default;
  /// Makes the files of `plan.start` below `plan.Root()`, and their `.git`. Blocks. On failure the
  /// caller removes the place.
  virtual Result<std::unique_ptr<WorkTree>> Provide(const TreePlan& plan, std::stop_token stop) = 0;
  /// Gives back what nobody has used for long, and what an earlier process left unusable.
  virtual Result<void> Tidy() = 0;
};

std::unique_ptr<Provisioner> MakePlainProvisioner();
/// `pool` is a directory for it alone, on the file system of the workspaces.
std::unique_ptr<Provisioner> MakeRecycledProvisioner(std::filesystem::path pool,
                                                     const KeptTrees& limits);
/// `bases` is a directory for it alone, on the file system of the workspaces and of the mirrors.
std::unique_ptr<Provisioner> MakeOverlayProvisioner(std::filesystem::path bases,
                                                    const KeptTrees& limits);

}  // namespace swage
