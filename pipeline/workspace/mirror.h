// Mirror: the bare repository that the bot keeps of one repository of a forge.
//
// The forge's branches live in refs/remotes/origin/*, the task branches in refs/heads/*: a fetch
// can never overwrite a checkpoint. Its configuration is a constant of this program; Guard puts it
// back if anybody changed it. Nothing is ever pruned by git's own maintenance: objects of
// checkpoints stay reachable by their branches. Fetch is serialised by a lock file beside the
// mirror; everything else works in parallel, because each workspace has names of its own. Safe from
// many threads.
#pragma once

#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/workspace/git.h"

namespace swage {

class Mirror {
 public:
  /// Younger objects may belong to a checkpoint that is being made, or to a base whose branch was
  /// moved away. Longer than any run.
  static constexpr std::chrono::hours kGarbageAge{14 * 24};

  Mirror(std::filesystem::path git_dir, Git git)
      : git_dir_(std::move(git_dir)), git_(std::move(git)) {}

  const std::filesystem::path& GitDir() const { return git_dir_; }
  std::filesystem::path AdminDir(std::string_view workspace) const {
    return git_dir_ / "worktrees" / workspace;
  }

  /// See Workspaces::Fetch, Push, FindMergeBase, ReadCommitted and ListEarlier.
  Result<CommitSha> Fetch(const GitRemote& remote, const std::string& branch, std::stop_token stop);
  /// What the last fetch found as `branch`. Errors: kNotFound.
  Result<CommitSha> ReadFetched(const std::string& branch) const;
  Result<void> Push(const PushRequest& request, std::stop_token stop);
  Result<std::optional<CommitSha>> FindMergeBase(const CommitSha& one,
                                                 const CommitSha& other) const;
  Result<std::string> ReadCommitted(const CommitSha& commit, std::string_view path);
  Result<std::vector<CommitSha>> ListEarlier(const CommitSha& commit, std::string_view path,
                                             int limit) const;

  /// Whether there was a fetch; Provision and reads need one.
  bool Exists() const;
  /// Restores what only the bot may write: configuration, and the absence of files that change what
  /// git does. Every repair is named in `warnings`.
  Result<void> Guard(std::vector<std::string>& warnings);
  /// See Workspaces::ForgetBranch.
  Result<bool> ForgetBranch(const std::string& branch, const std::string& base_branch,
                            const CommitSha& pushed);
  /// Removes objects that no branch, no workspace and no fetch of the last kGarbageAge refers to,
  /// and packs the rest as one. Takes the room of a second copy for a while. Blocks for minutes.
  Result<void> Prune(std::stop_token stop);
  /// Points the task branch at `target`; with `expected`, only if it holds that now (else
  /// kConflict).
  Result<void> SetBranch(const std::string& branch, const CommitSha& target,
                         const CommitSha* expected);

 private:
  Result<void> Create();
  void RemoveLeftovers() const;
  Result<bool> RemoveBrokenBranches() const;

  const std::filesystem::path git_dir_;
  const Git git_;
};

}  // namespace swage
