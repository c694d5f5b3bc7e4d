// The Workspaces seam over mirrors and worktrees: names, and which of them are in use.
#include <fmt/format.h>

#include <map>
#include <mutex>

#include "config/base/crypto.h"
#include "pipeline/workspace/checks.h"
#include "pipeline/workspace/diff.h"
#include "pipeline/workspace/git.h"
#include "pipeline/workspace/history_scan.h"
#include "pipeline/workspace/mirror.h"
#include "pipeline/workspace/own_branch.h"
#include "pipeline/workspace/provisioner.h"
#include "pipeline/workspace/replay.h"
#include "pipeline/workspace/sweep.h"
#include "pipeline/workspace/travel.h"
#include "pipeline/workspace/worktree_workspace.h"

namespace swage {
namespace {

// The workspaces that this process holds. Shared with each of them, because a workspace may outlive
// the factory that made it.
class OpenWorkspaces {
 public:
  void Add(const std::string& name, TaskId task) {
    const std::lock_guard lock(mutex_);
    open_[name] = task;
  }
  void Remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    open_.erase(name);
  }
  bool Has(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return open_.contains(name);
  }
  bool HasTask(TaskId task) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, owner] : open_) {
      if (owner == task) return true;
    }
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, TaskId> open_;
};

class WorktreeWorkspaces final : public Workspaces {
 public:
  WorktreeWorkspaces(std::filesystem::path data_dir, ProcessRunner& processes,
                     const WorkspaceOptions& options)
      : data_dir_(std::filesystem::absolute(data_dir).lexically_normal()),
        git_(processes, options),
        way_(options.provision),
        plain_(MakePlainProvisioner()),
        recycled_(MakeRecycledProvisioner(data_dir_ / "pool", options.kept)),
        overlay_(MakeOverlayProvisioner(data_dir_ / "bases", options.kept)) {}

  Result<CommitSha> Fetch(const RepoRef& repo, const GitRemote& remote, const std::string& branch,
                          std::stop_token stop) override {
    SWAGE_ASSIGN_OR_RETURN(Mirror mirror, MirrorOf(repo));
    auto fetched = mirror.Fetch(remote, branch, std::move(stop));
    if (!fetched.ok()) return fetched.error().With("fetch " + repo.path);
    return fetched;
  }

  Result<std::string> ReadCommitted(const RepoRef& repo, const CommitSha& commit,
                                    std::string_view path) override {
    SWAGE_ASSIGN_OR_RETURN(Mirror mirror, MirrorOf(repo));
    SWAGE_RETURN_IF_ERROR(MustExist(mirror, repo));
    return mirror.ReadCommitted(commit, path);
  }

  Result<std::optional<std::string>> FindInHistory(
      const RepoRef& repo, const CommitSha& base, const CommitSha& head,
      const std::function<bool(std::string_view)>& holds) override {
    SWAGE_ASSIGN_OR_RETURN(Mirror mirror, MirrorOf(repo));
    SWAGE_RETURN_IF_ERROR(MustExist(mirror, repo));
    return swage::FindInHistory(mirror.GitDir(), base, head, holds);
  }

  Result<std::vector<CommitSha>> ListEarlier(const RepoRef& repo, const CommitSha& commit,
                                             std::string_view path, int limit) override {
    SWAGE_ASSIGN_OR_RETURN(const Mirror mirror, MirrorOf(repo));
    SWAGE_RETURN_IF_ERROR(MustExist(mirror, repo));
    return mirror.ListEarlier(commit, path, limit);
  }

  Result<DiffSummary> Diff(const RepoRef& repo, const CommitSha& from,
                           const CommitSha& to) override {
    SWAGE_ASSIGN_OR_RETURN(const Mirror mirror, MirrorOf(repo));
    SWAGE_RETURN_IF_ERROR(MustExist(mirror, repo));
    return DiffCommits(mirror.GitDir(), from, to);
  }

  bool HasCommit(const RepoRef& repo, const CommitSha& commit) override {
    const Result<Mirror> mirror = MirrorOf(repo);
    return mirror.ok() && mirror->Exists() && swage::HasCommit(mirror->GitDir(), commit);
  }

  Result<std::optional<CommitSha>> FindMergeBase(const RepoRef& repo, const CommitSha& one,
                                                 const CommitSha& other) override {
    SWAGE_ASSIGN_OR_RETURN(const Mirror mirror, MirrorOf(repo));
    SWAGE_RETURN_IF_ERROR(MustExist(mirror, repo));
    return mirror.FindMergeBase(one, other);
  }

  Result<Replayed> Replay(const RepoRef& repo, const CommitSha& base, const CommitSha& head,
                          const CommitSha& onto) override {
    SWAGE_ASSIGN_OR_RETURN(const Mirror mirror, MirrorOf(repo));
    SWAGE_RETURN_IF_ERROR(MustExist(mirror, repo));
    return ReplayCommits(mirror.GitDir(), git_.Signer(), base, head, onto);
  }

  Result<void> Unpack(const RepoRef& repo, const CommitSha& base, const CommitSha& commit,
                      std::string_view pack) override {
    SWAGE_ASSIGN_OR_RETURN(Mirror mirror, MirrorOf(repo));
    SWAGE_RETURN_IF_ERROR(MustExist(mirror, repo));
    return UnpackCommits(mirror.GitDir(), base, commit, pack);
  }

  Result<std::unique_ptr<Workspace>> Provision(const ProvisionRequest& request,
                                               std::stop_token stop) override {
    SWAGE_ASSIGN_OR_RETURN(Mirror mirror, MirrorOf(request.repo));
    SWAGE_RETURN_IF_ERROR(MustExist(mirror, request.repo));
    const std::string name = WorkspaceName(request.task, RandomHex(4));
    open_->Add(name, request.task);
    return WorktreeWorkspace::Provision(
        std::move(mirror), git_, ProvisionerFor(request), data_dir_ / "workspaces", name, request,
        [open = open_, name] { open->Remove(name); }, std::move(stop));
  }

  Result<void> Push(const PushRequest& request, std::stop_token stop) override {
    SWAGE_ASSIGN_OR_RETURN(Mirror mirror, MirrorOf(request.repo));
    SWAGE_RETURN_IF_ERROR(MustExist(mirror, request.repo));
    const auto pushed = mirror.Push(request, std::move(stop));
    if (!pushed.ok()) {
      return pushed.error().With(fmt::format("push {} to {}", request.branch, request.repo.path));
    }
    return Ok();
  }

  Result<std::optional<CommitSha>> FindOwnBranch(const RepoRef& repo, const GitRemote& remote,
                                                 const std::string& branch,
                                                 const std::string& base_branch,
                                                 const CommitSha& base, const OwnMark& mark,
                                                 std::stop_token stop) override {
    SWAGE_ASSIGN_OR_RETURN(Mirror mirror, MirrorOf(repo));
    const auto newest = mirror.Fetch(remote, base_branch, stop);
    if (!newest.ok()) return newest.error().With("fetch " + repo.path);
    const auto head = mirror.ReadFetched(branch);
    if (!head.ok() && head.error().code == ErrorCode::kNotFound) return std::optional<CommitSha>();
    if (!head.ok()) return head.error();
    SWAGE_ASSIGN_OR_RETURN(const bool own,
                           IsOwnWork(mirror.GitDir(), *head, {*newest, base}, mark));
    return own ? std::optional(*head) : std::nullopt;
  }

  Result<bool> ForgetBranch(const RepoRef& repo, const std::string& branch,
                            const std::string& base_branch, const CommitSha& pushed) override {
    SWAGE_ASSIGN_OR_RETURN(Mirror mirror, MirrorOf(repo));
    if (!mirror.Exists()) return false;
    return mirror.ForgetBranch(branch, base_branch, pushed);
  }

  Result<std::vector<std::string>> SweepOrphans(const std::set<TaskId>& live) override {
    return RemoveOrphans(data_dir_, [&](const std::string& name, TaskId task) {
      // What this process holds may be newer than `live`; what it does not hold of a task that it
      // does hold is from an earlier run.
      if (open_->Has(name)) return false;
      return !live.contains(task) || open_->HasTask(task);
    });
  }

  Result<void> TidyKept() override {
    const auto resting = recycled_->Tidy();
    const auto bases = overlay_->Tidy();
    return resting.ok() ? bases : resting;
  }

  Result<void> CheckGit() override { return git_.CheckVersion(); }

 private:
  Result<Mirror> MirrorOf(const RepoRef& repo) const {
    SWAGE_ASSIGN_OR_RETURN(const std::string name, MirrorName(repo));
    return Mirror(data_dir_ / "mirrors" / name, git_);
  }

  static Result<void> MustExist(const Mirror& mirror, const RepoRef& repo) {
    if (mirror.Exists()) return Ok();
    return MakeError(ErrorCode::kNotFound, fmt::format("{} has not been fetched yet", repo.path));
  }

  Provisioner& ProvisionerFor(const ProvisionRequest& request) {
    switch (way_) {
      case ProvisionWay::kOverlay:
        return request.seen_by_host ? *recycled_ : *overlay_;
      case ProvisionWay::kRecycled:
        return *recycled_;
      case ProvisionWay::kPlain:
        return *plain_;
    }
    return *plain_;
  }

  const std::filesystem::path data_dir_;
  const Git git_;
  const ProvisionWay way_;
  const std::unique_ptr<Provisioner> plain_, recycled_, overlay_;
  const std::shared_ptr<OpenWorkspaces> open_ = std::make_shared<OpenWorkspaces>();
};

}  // namespace

std::unique_ptr<Workspaces> MakeWorktreeWorkspaces(std::filesystem::path data_dir,
                                                   ProcessRunner& processes,
                                                   WorkspaceOptions options) {
  return std::make_unique<WorktreeWorkspaces>(std::move(data_dir), processes, options);
}

}  // namespace swage
