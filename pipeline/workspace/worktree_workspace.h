// One task's worktree: its files below workspaces/, its index and HEAD in the mirror (the trusted
// side), and the agent's private `.git`. One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pipeline/workspace/mirror.h"

namespace swage {

class WorktreeWorkspace final : public Workspace {
 public:
  /// A single file larger than this is never committed: forges refuse it, and the mirror keeps it
  /// for ever.
  static constexpr std::uintmax_t kMaxFileBytes = 100 << 20;

  /// `name` is the directory's name and the name of the worktree in the mirror. `on_gone` is called
  /// once, when the workspace is released or dropped. On failure nothing is left.
  static Result<std::unique_ptr<Workspace>> Provision(
      Mirror mirror, Git git, const std::filesystem::path& workspaces, const std::string& name,
      const ProvisionRequest& request, std::function<void()> on_gone, std::stop_token stop);
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
  Result<void> Release() override;

 private:
  WorktreeWorkspace(Mirror mirror, Git git, std::filesystem::path place, const std::string& name,
                    const ProvisionRequest& request, std::function<void()> on_gone);

  Result<void> Register();
  Result<void> Checkout(const CommitSha& commit, std::stop_token stop);
  Result<void> RefreshPrivateGit();
  Result<void> Guard(std::vector<std::string>& warnings);
  Result<void> RefuseLargeFiles(const std::vector<std::string>& candidates);
  Result<Snapshot> Commit(const std::string& message, const CommitIdentity& author);
  GitCall Call(std::vector<std::string> arguments) const;

  Mirror mirror_;
  const Git git_;
  const std::filesystem::path place_, root_, handoff_, admin_;
  const std::string branch_;
  const CommitSha base_;
  CommitSha last_;  // the newest checkpoint, which the task branch must hold
  CommandContext commands_;
  std::function<void()> on_gone_;
};

}  // namespace swage
