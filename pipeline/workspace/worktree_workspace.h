// One task's workspace: its files below workspaces/, made by a Provisioner, its index and HEAD in
// the mirror (the trusted side), and the commits that are made of them. One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pipeline/workspace/provisioner.h"

namespace swage {

class WorktreeWorkspace final : public Workspace {
 public:
  /// `name` is the directory's name and the name of the worktree in the mirror. `on_gone` is called
  /// once, when the workspace is released or dropped. On failure nothing is left.
  static Result<std::unique_ptr<Workspace>> Provision(
      Mirror mirror, Git git, Provisioner& provisioner, const std::filesystem::path& workspaces,
      const std::string& name, const ProvisionRequest& request, std::function<void()> on_gone,
      std::stop_token stop);
  ~WorktreeWorkspace() override { on_gone_(); }

  const std::filesystem::path& Root() const override { return root_; }
  const std::filesystem::path& HandOffDir() const override { return handoff_; }
  const CommandContext& Commands() const override { return commands_; }
  Result<Snapshot> TakeSnapshot(const std::string& message, const CommitIdentity& author,
                                std::vector<std::string>& warnings) override;
  Result<DiffSummary> DiffFromBase(const CommitSha& commit) override;
  Result<std::string> PackFromBase(const CommitSha& commit) override;
  Result<void> Reset(const CommitSha& commit) override;
  Result<void> Restore(const CommitSha& commit) override;
  std::vector<std::string> TakeRepairs() override;
  Result<void> Release() override;

 private:
  WorktreeWorkspace(TreePlan plan, const ProvisionRequest& request, std::function<void()> on_gone);

  Result<void> Register();
  Result<void> Include(const ProvisionRequest& request);
  Result<void> MakeDirectories();
  Result<void> MoveTo(const CommitSha& commit, Untracked untracked);
  Result<void> Guard(std::vector<std::string>& warnings);
  /// `unstaged`: the index holds less than what the tree has staged.
  Result<Snapshot> Commit(const std::string& message, const CommitIdentity& author, bool unstaged);

  TreePlan plan_;
  const std::filesystem::path root_, handoff_;
  CommitSha last_;                     // the newest checkpoint, which the task branch must hold
  std::vector<std::string> included_;  // paths that no snapshot takes
  std::vector<std::string> repairs_;   // that nobody was told of yet
  CommandContext commands_;
  std::function<void()> on_gone_;
  std::unique_ptr<WorkTree> tree_;
};

}  // namespace swage
