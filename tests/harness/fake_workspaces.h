// FakeWorkspaces, FakeWorkspace: no files and no git, only what was asked of them.
//
// A "tree" is a string that a test's agent writes into FakeWorkspace::files; a commit is named
// after the number of snapshots taken, so that tests can predict it. Not thread-safe.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/base/files.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// "1111...": the name of the n-th fake commit.
inline CommitSha FakeCommit(int n) {
  return CommitSha{fmt::format("{:040d}", n)};
}

class FakeWorkspace final : public Workspace {
 public:
  explicit FakeWorkspace(CommitSha start) : head_(std::move(start)) {}

  std::string files;                  ///< the work tree, as one text
  std::vector<std::string> messages;  ///< of the snapshots that changed something
  std::vector<CommitSha> restored;
  std::optional<Error> pack_failure;
  int resets = 0;
  bool released = false;

  const std::filesystem::path& Root() const override { return dir_.path(); }
  const std::filesystem::path& HandOffDir() const override { return dir_.path(); }
  const CommandContext& Commands() const override { return commands_; }
  Result<Snapshot> TakeSnapshot(const std::string& message, const CommitIdentity&,
                                std::vector<std::string>&) override {
    const bool changed = files != taken_;
    if (changed) {
      taken_ = files;
      messages.push_back(message);
      head_ = FakeCommit(++commits_);
    }
    return Snapshot{head_, TreeSha{"tree of " + files}, changed};
  }
  Result<DiffSummary> DiffFromBase(const CommitSha&) override { return DiffSummary{}; }
  Result<std::string> PackFromBase(const CommitSha& commit) override {
    if (pack_failure) return *pack_failure;
    return ".." + commit.value;
  }
  Result<void> Reset(const CommitSha&) override {
    ++resets;
    return Ok();
  }
  Result<void> Restore(const CommitSha& commit) override {
    restored.push_back(commit);
    files = taken_;
    return Ok();
  }
  Result<void> Release() override {
    released = true;
    return Ok();
  }

 private:
  TempDir dir_{"swage-fake-"};
  CommandContext commands_;
  CommitSha head_;
  std::string taken_;
  int commits_ = 0;
};

class FakeWorkspaces : public Workspaces {
 public:
  std::vector<PushRequest> pushes;
  std::deque<Error> push_failures;
  std::set<CommitSha> absent;  ///< what HasCommit says no to
  std::vector<CommitSha> unpacked;
  std::optional<CommitSha> own_branch;  ///< what the forge holds of ours under the task's branch

  Result<CommitSha> Fetch(const RepoRef&, const GitRemote&, const std::string&,
                          std::stop_token) override {
    return FakeCommit(0);
  }
  Result<std::string> ReadCommitted(const RepoRef&, const CommitSha&, std::string_view) override {
    return MakeError(ErrorCode::kNotFound, "no such file");
  }
  Result<std::vector<CommitSha>> ListEarlier(const RepoRef&, const CommitSha&, std::string_view,
                                             int) override {
    return std::vector<CommitSha>();
  }
  Result<std::optional<std::string>> FindInHistory(
      const RepoRef&, const CommitSha&, const CommitSha&,
      const std::function<bool(std::string_view)>&) override {
    return std::optional<std::string>();
  }
  Result<std::optional<CommitSha>> FindMergeBase(const RepoRef&, const CommitSha& one,
                                                 const CommitSha&) override {
    return std::optional(one);
  }
  Result<DiffSummary> Diff(const RepoRef&, const CommitSha&, const CommitSha&) override {
    return DiffSummary{};
  }
  Result<Replayed> Replay(const RepoRef&, const CommitSha&, const CommitSha& head,
                          const CommitSha& onto) override {
    return Replayed{head.value.empty() ? onto : head, {}};
  }
  bool HasCommit(const RepoRef&, const CommitSha& commit) override {
    return !absent.contains(commit);
  }
  /// Takes what FakeWorkspace::PackFromBase makes.
  Result<void> Unpack(const RepoRef&, const CommitSha&, const CommitSha& commit,
                      std::string_view pack) override {
    if (pack != ".." + commit.value) return MakeError(ErrorCode::kInvalid, "broken");
    unpacked.push_back(commit);
    absent.erase(commit);
    return Ok();
  }
  Result<std::unique_ptr<Workspace>> Provision(const ProvisionRequest& request,
                                               std::stop_token) override {
    return std::unique_ptr<Workspace>(std::make_unique<FakeWorkspace>(request.start));
  }
  Result<void> Push(const PushRequest& request, std::stop_token) override {
    pushes.push_back(request);
    if (push_failures.empty()) return Ok();
    Error error = push_failures.front();
    push_failures.pop_front();
    return error;
  }
  Result<std::optional<CommitSha>> FindOwnBranch(const RepoRef&, const GitRemote&,
                                                 const std::string&, const std::string&,
                                                 const CommitSha&, const OwnMark&,
                                                 std::stop_token) override {
    return own_branch;
  }
  Result<bool> ForgetBranch(const RepoRef&, const std::string&, const std::string&,
                            const CommitSha&) override {
    return false;
  }
  Result<std::vector<std::string>> SweepOrphans(const std::set<TaskId>&) override {
    return std::vector<std::string>{};
  }
  Result<void> CheckGit() override { return Ok(); }
};

}  // namespace swage
