#include "pipeline/workspace/crash_workspaces.h"

namespace swage {
namespace {

class CrashWorkspace final : public Workspace {
 public:
  CrashWorkspace(std::unique_ptr<Workspace> inner, CrashPoints& points)
      : inner_(std::move(inner)), points_(points) {}

  const std::filesystem::path& Root() const override { return inner_->Root(); }
  const std::filesystem::path& HandOffDir() const override { return inner_->HandOffDir(); }
  const CommandContext& Commands() const override { return inner_->Commands(); }
  Result<Snapshot> TakeSnapshot(const std::string& message, const CommitIdentity& author,
                                std::vector<std::string>& warnings) override {
    points_.Pass("workspace/before TakeSnapshot");  // the agent's work is in its files alone
    auto snapshot = inner_->TakeSnapshot(message, author, warnings);
    points_.Pass("workspace/TakeSnapshot");
    return snapshot;
  }
  Result<DiffSummary> DiffFromBase(const CommitSha& commit) override {
    return inner_->DiffFromBase(commit);
  }
  Result<std::string> PackFromBase(const CommitSha& commit) override {
    return inner_->PackFromBase(commit);
  }
  Result<void> Reset(const CommitSha& commit) override { return inner_->Reset(commit); }
  Result<void> Restore(const CommitSha& commit) override { return inner_->Restore(commit); }
  std::vector<std::string> TakeRepairs() override { return inner_->TakeRepairs(); }
  Result<void> Release() override {
    auto released = inner_->Release();
    points_.Pass("workspace/Release");
    return released;
  }

 private:
  std::unique_ptr<Workspace> inner_;
  CrashPoints& points_;
};

class CrashWorkspaces final : public Workspaces {
 public:
  CrashWorkspaces(std::unique_ptr<Workspaces> inner, CrashPoints& points)
      : inner_(std::move(inner)), points_(points) {}

  Result<CommitSha> Fetch(const RepoRef& repo, const GitRemote& remote, const std::string& branch,
                          std::stop_token stop) override {
    auto fetched = inner_->Fetch(repo, remote, branch, stop);
    points_.Pass("workspace/Fetch");
    return fetched;
  }
  Result<std::string> ReadCommitted(const RepoRef& repo, const CommitSha& commit,
                                    std::string_view path) override {
    return inner_->ReadCommitted(repo, commit, path);
  }
  Result<std::optional<std::string>> FindInHistory(
      const RepoRef& repo, const CommitSha& base, const CommitSha& head,
      const std::function<bool(std::string_view)>& holds) override {
    return inner_->FindInHistory(repo, base, head, holds);
  }
  Result<std::vector<CommitSha>> ListEarlier(const RepoRef& repo, const CommitSha& commit,
                                             std::string_view path, int limit) override {
    return inner_->ListEarlier(repo, commit, path, limit);
  }
  Result<DiffSummary> Diff(const RepoRef& repo, const CommitSha& from,
                           const CommitSha& to) override {
    return inner_->Diff(repo, from, to);
  }
  bool HasCommit(const RepoRef& repo, const CommitSha& commit) override {
    return inner_->HasCommit(repo, commit);
  }
  Result<std::optional<CommitSha>> FindMergeBase(const RepoRef& repo, const CommitSha& one,
                                                 const CommitSha& other) override {
    return inner_->FindMergeBase(repo, one, other);
  }
  Result<Replayed> Replay(const RepoRef& repo, const CommitSha& base, const CommitSha& head,
                          const CommitSha& onto) override {
    auto replayed = inner_->Replay(repo, base, head, onto);
    points_.Pass("workspace/Replay");
    return replayed;
  }
  Result<void> Unpack(const RepoRef& repo, const CommitSha& base, const CommitSha& commit,
                      std::string_view pack) override {
    auto unpacked = inner_->Unpack(repo, base, commit, pack);
    points_.Pass("workspace/Unpack");
    return unpacked;
  }
  Result<std::optional<CommitSha>> FindOwnBranch(const RepoRef& repo, const GitRemote& remote,
                                                 const std::string& branch,
                                                 const std::string& base_branch,
                                                 const CommitSha& base, const OwnMark& mark,
                                                 std::stop_token stop) override {
    return inner_->FindOwnBranch(repo, remote, branch, base_branch, base, mark, stop);
  }
  Result<std::unique_ptr<Workspace>> Provision(const ProvisionRequest& request,
                                               std::stop_token stop) override {
    auto made = inner_->Provision(request, stop);
    points_.Pass("workspace/Provision");
    if (!made.ok()) return made;
    return std::unique_ptr<Workspace>(
        std::make_unique<CrashWorkspace>(std::move(made).value(), points_));
  }
  Result<void> Push(const PushRequest& request, std::stop_token stop) override {
    auto pushed = inner_->Push(request, stop);
    points_.Pass("workspace/Push");
    return pushed;
  }
  Result<bool> ForgetBranch(const RepoRef& repo, const std::string& branch,
                            const std::string& base_branch, const CommitSha& pushed) override {
    return inner_->ForgetBranch(repo, branch, base_branch, pushed);
  }
  Result<std::vector<std::string>> SweepOrphans(const std::set<TaskId>& live) override {
    auto removed = inner_->SweepOrphans(live);
    points_.Pass("workspace/SweepOrphans");
    return removed;
  }
  Result<void> TidyKept() override { return inner_->TidyKept(); }
  Result<void> CheckGit() override { return inner_->CheckGit(); }

 private:
  std::unique_ptr<Workspaces> inner_;
  CrashPoints& points_;
};

}  // namespace

std::unique_ptr<Workspaces> WithCrashPoints(std::unique_ptr<Workspaces> inner,
                                            CrashPoints& points) {
  return std::make_unique<CrashWorkspaces>(std::move(inner), points);
}

}  // namespace swage
