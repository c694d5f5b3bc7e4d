// A work tree whose files are all its own, made and taken by git's own commands. What the cheaper
// ways fall back on, part by part.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/workspace/provisioner.h"

namespace swage {

class PlainTree : public WorkTree {
 public:
  explicit PlainTree(TreePlan plan) : plan_(std::move(plan)) {}

  /// Files and index as in the plan's start, whatever was there before.
  Result<void> Checkout(std::stop_token stop);
  /// And the `.git`.
  Result<void> Fill(std::stop_token stop);

  Result<void> Stage(std::vector<std::string>& warnings) override;
  Result<git2::Tree> MakeTree(git_repository* repository, git_commit* before) override;
  Result<void> MoveTo(const CommitSha& commit, Untracked untracked) override;
  Result<void> RenewGit(const CommitSha& commit) override;
  Result<void> Release() override;

  const TreePlan& Plan() const { return plan_; }
  /// Where nested repositories are moved.
  std::filesystem::path Quarantine() const { return plan_.place / "quarantine"; }
  /// Errors: kTooLarge, naming the first of the large files that git would take: not the ignored
  /// ones, not the unchanged ones.
  Result<void> RefuseLargeFiles(const std::vector<std::string>& candidates) const;
  /// `git add --all`.
  Result<void> AddAll() const;
  /// From what index and files hold both, a tree or a commit, to a commit: writes and removes what
  /// these differ in, and looks at nothing else. Errors: kInternal (something is in the way).
  Result<void> Switch(const std::string& from, const CommitSha& to) const;

 private:
  /// Of a call of git, what counts is what it does.
  Result<void> Run(const GitCall& call, std::stop_token stop = {}) const;
  /// Index and tracked files to those of `commit`, whatever they are.
  Result<void> ReadCommit(const CommitSha& commit, std::stop_token stop = {}) const;
  Result<void> Give() const;
  Result<void> GiveWritten(const std::string& from, const CommitSha& to) const;

  const TreePlan plan_;
};

}  // namespace swage
