#include "pipeline/workspace/plain_tree.h"

#include <fmt/format.h>

#include <set>

#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/workspace/checks.h"
#include "pipeline/workspace/file_ownership.h"
#include "pipeline/workspace/index_tree.h"
#include "pipeline/workspace/private_git_dir.h"
#include "pipeline/workspace/tree_scan.h"

namespace swage {
namespace {

constexpr std::chrono::minutes kCheckoutLimit{30};
constexpr std::size_t kMaxWritten = 1 << 20;  // of paths that are given away one by one

class PlainProvisioner final : public Provisioner {
 public:
  Result<std::unique_ptr<WorkTree>> Provide(const TreePlan& plan, std::stop_token stop) override {
    SWAGE_RETURN_IF_ERROR(MakeDirs(plan.Root()));
    auto tree = std::make_unique<PlainTree>(plan);
    SWAGE_RETURN_IF_ERROR(tree->Fill(std::move(stop)));
    return std::unique_ptr<WorkTree>(std::move(tree));
  }
  Result<void> Tidy() override { return Ok(); }
};

}  // namespace

GitCall TreePlan::Call(std::vector<std::string> arguments) const {
  GitCall call;
  call.git_dir = admin;
  call.work_tree = Root();
  call.arguments = std::move(arguments);
  call.time_limit = kCheckoutLimit;
  return call;
}

Result<void> PlainTree::Run(const GitCall& call, std::stop_token stop) const {
  const auto ran = plan_.git.Run(call, std::move(stop));
  return ran.ok() ? Ok() : Result<void>(ran.error());
}

Result<void> PlainTree::ReadCommit(const CommitSha& commit, std::stop_token stop) const {
  return Run(plan_.Call({"read-tree", "--reset", "-u", commit.value}), std::move(stop));
}

Result<void> PlainTree::Checkout(std::stop_token stop) {
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(plan_.start));
  SWAGE_RETURN_IF_ERROR(ReadCommit(plan_.start, std::move(stop)));
  return Give();
}

Result<void> PlainTree::Fill(std::stop_token stop) {
  SWAGE_RETURN_IF_ERROR(Checkout(std::move(stop)));
  return RenewGit(plan_.start);
}

// A file that changes hands changes its stat data, too.
Result<void> PlainTree::Give() const {
  if (!plan_.owner) return Ok();
  SWAGE_RETURN_IF_ERROR(GiveTree(plan_.Root(), plan_.owner));
  return Run(plan_.Call({"update-index", "-q", "--refresh"}));
}

Result<void> PlainTree::RefuseLargeFiles(const std::vector<std::string>& candidates) const {
  if (candidates.empty()) return Ok();
  std::vector<std::string> arguments = {
      "--literal-pathspecs", "ls-files",           "-z", "--others",
      "--modified",          "--exclude-standard", "--"};
  arguments.insert(arguments.end(), candidates.begin(), candidates.end());
  SWAGE_ASSIGN_OR_RETURN(const std::string taken, plan_.git.Run(plan_.Call(std::move(arguments))));
  if (taken.empty()) return Ok();
  const std::string first = taken.substr(0, taken.find('\0'));
  return MakeError(ErrorCode::kTooLarge,
                   fmt::format("{} is larger than {} MiB; remove it or have git ignore it",
                               ToValidUtf8(first), kMaxFileBytes >> 20));
}

Result<void> PlainTree::AddAll() const {
  return Run(plan_.Call({"add", "--all", "--", "."}));
}

Result<git2::Tree> PlainTree::MakeTree(git_repository* repository, git_commit* before) {
  return TreeOfIndex(repository, plan_, before);
}

Result<void> PlainTree::Switch(const std::string& from, const CommitSha& to) const {
  SWAGE_RETURN_IF_ERROR(Run(plan_.Call({"read-tree", "-m", "-u", from, to.value})));
  return plan_.owner ? GiveWritten(from, to) : Ok();
}

// As Give, for what the step from one to the other wrote, and the directories above it.
Result<void> PlainTree::GiveWritten(const std::string& from, const CommitSha& to) const {
  SWAGE_ASSIGN_OR_RETURN(
      const std::string listed,
      plan_.git.Run(plan_.Call({"diff-tree", "-r", "-z", "--name-only", "--no-renames",
                                "--diff-filter=d", from, to.value})));
  if (listed.empty()) return Ok();
  if (listed.size() > kMaxWritten) return Give();
  std::set<std::filesystem::path> written;
  for (const std::string_view path : Split(listed, '\0')) {
    for (std::filesystem::path at = path; !at.empty(); at = at.parent_path()) {
      if (!written.insert(at).second) break;
    }
  }
  for (const std::filesystem::path& path : written) {
    SWAGE_RETURN_IF_ERROR(GiveEntry(plan_.Root() / path, plan_.owner));
  }
  GitCall refresh = plan_.Call({"update-index", "-z", "--stdin"});
  refresh.input = listed;
  return Run(refresh);
}

Result<void> PlainTree::Stage(std::vector<std::string>& warnings) {
  SWAGE_ASSIGN_OR_RETURN(TreeScan scan, ScanTree(plan_.Root(), Quarantine(), kMaxFileBytes));
  warnings.insert(warnings.end(), scan.warnings.begin(), scan.warnings.end());
  SWAGE_RETURN_IF_ERROR(RefuseLargeFiles(scan.large_files));
  return AddAll();
}

Result<void> PlainTree::MoveTo(const CommitSha& commit, Untracked untracked) {
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(commit));
  if (untracked == Untracked::kRemove) {
    SWAGE_ASSIGN_OR_RETURN(const TreeScan scan,
                           ScanTree(plan_.Root(), Quarantine(), kMaxFileBytes));
  }
  SWAGE_RETURN_IF_ERROR(ReadCommit(commit));
  if (untracked == Untracked::kRemove) {
    SWAGE_RETURN_IF_ERROR(Run(plan_.Call({"clean", "--quiet", "-d", "--force"})));
  }
  return Give();
}

Result<void> PlainTree::RenewGit(const CommitSha& commit) {
  SWAGE_RETURN_IF_ERROR(WritePrivateGitDir(
      {plan_.Root(), plan_.mirror.GitDir() / "objects", plan_.Index(), plan_.branch, commit}));
  return GiveTree(plan_.Root() / ".git", plan_.owner);
}

Result<void> PlainTree::Release() {
  return RemoveTree(plan_.Root());
}

std::unique_ptr<Provisioner> MakePlainProvisioner() {
  return std::make_unique<PlainProvisioner>();
}

}  // namespace swage
