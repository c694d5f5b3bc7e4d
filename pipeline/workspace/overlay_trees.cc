// The overlay: a task's files are those of a base that tasks share, with its own changes laid over
// them by the kernel. See bases.h and overlay_mount.h.
//
// Provisioning costs a mount and a dozen small files whatever the size of the repository: the index
// is a hard link to the base's (git replaces an index, it never writes into one), and the private
// `.git` is the base's, too, under a HEAD and a branch of the task's own. In the upper directory is
// then exactly what the task changed: a checkpoint, and the way back to an earlier one, look at
// nothing else.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "config/base/files.h"
#include "pipeline/workspace/bases.h"
#include "pipeline/workspace/checks.h"
#include "pipeline/workspace/file_ownership.h"
#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/overlay_mount.h"
#include "pipeline/workspace/plain_tree.h"
#include "pipeline/workspace/private_git_dir.h"
#include "pipeline/workspace/upper_changes.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

class OverlayTree final : public WorkTree {
 public:
  OverlayTree(const TreePlan& plan, BaseUse base)
      : all_(plan), base_(std::move(base)), staged_(base_.commit) {}

  Result<void> Lay() {
    SWAGE_RETURN_IF_ERROR(LinkIndex());
    const OverlayDirs dirs{base_.tree, Upper(), KernelWork(), Plan().Root()};
    for (const fs::path& dir : {dirs.upper, dirs.work, dirs.merged}) {
      SWAGE_RETURN_IF_ERROR(MakeDirs(dir));
    }
    SWAGE_RETURN_IF_ERROR(WriteOwnGitDir(dirs.upper, Plan().branch, base_.commit));
    SWAGE_RETURN_IF_ERROR(GiveTree(dirs.upper, Plan().owner));
    SWAGE_ASSIGN_OR_RETURN(mount_, OverlayMount::Make(dirs));
    if (base_.commit == Plan().start) return Ok();
    SWAGE_RETURN_IF_ERROR(MoveTo(Plan().start, Untracked::kKeep));
    return RenewGit(Plan().start);
  }

  Result<void> Stage(std::vector<std::string>& warnings) override {
    UpperChanges changes;
    SWAGE_ASSIGN_OR_RETURN(
        const TreeScan scan,
        ScanOverlay(Plan().Root(), Upper(), all_.Quarantine(), kMaxFileBytes, changes));
    warnings.insert(warnings.end(), scan.warnings.begin(), scan.warnings.end());
    SWAGE_RETURN_IF_ERROR(all_.RefuseLargeFiles(scan.large_files));
    SWAGE_ASSIGN_OR_RETURN(const Staging staging, StageKnown(changes, NewFiles::kTake));
    return staging.how == HowStaged::kNotThisWay ? all_.AddAll() : Ok();
  }

  Result<git2::Tree> MakeTree(git_repository* repository, git_commit* before) override {
    if (tree_) return git2::FindTree(repository, *tree_);
    if (!staged_) return all_.MakeTree(repository, before);
    SWAGE_ASSIGN_OR_RETURN(const auto commit, git2::FindCommit(repository, *staged_));
    return git2::TreeOf(commit.get());
  }

  Result<void> MoveTo(const CommitSha& commit, Untracked untracked) override {
    SWAGE_RETURN_IF_ERROR(CheckCommitSha(commit));
    const auto moved = MoveChanged(commit, untracked);
    // What is in the way of the short way is none for the long one.
    if (!moved.ok() || !*moved) {
      Forget();
      SWAGE_RETURN_IF_ERROR(all_.MoveTo(commit, untracked));
    }
    Hold(commit);
    return Ok();
  }

  Result<void> RenewGit(const CommitSha& commit) override {
    Hold(commit);  // there is a commit of what the index holds, and this is it
    return all_.RenewGit(commit);
  }

  Result<void> Release() override {
    mount_.Unmount();
    base_.lock.Close();
    return Ok();
  }

 private:
  const TreePlan& Plan() const { return all_.Plan(); }

  void Hold(const CommitSha& commit) {
    staged_ = commit;
    tree_.reset();
  }
  void Forget() {
    staged_.reset();
    tree_.reset();
  }

  Result<Staging> StageKnown(const UpperChanges& changes, NewFiles fresh) {
    tree_.reset();
    if (!staged_) return Staging{};
    SWAGE_ASSIGN_OR_RETURN(const Staging staging,
                           StageChanges(Plan(), changes, {base_.commit, *staged_}, fresh));
    if (staging.how != HowStaged::kNothing) {
      staged_.reset();
      tree_ = staging.tree;
    }
    return staging;
  }

  // False: the files may be on the way, but have not arrived. What is untracked and what of it is
  // ignored is decided at the end of the way, as git does.
  Result<bool> MoveChanged(const CommitSha& commit, Untracked untracked) {
    if (!staged_) return false;
    const CommitSha before = *staged_;
    UpperChanges changes;
    if (untracked == Untracked::kKeep) {
      SWAGE_ASSIGN_OR_RETURN(changes, ListUpper(Plan().Root(), Upper()));
    } else {
      SWAGE_RETURN_IF_ERROR(
          ScanOverlay(Plan().Root(), Upper(), all_.Quarantine(), kMaxFileBytes, changes));
    }
    SWAGE_ASSIGN_OR_RETURN(const Staging staging, StageKnown(changes, NewFiles::kLeave));
    switch (staging.how) {
      case HowStaged::kNotThisWay:
        return false;
      case HowStaged::kNothing:
        if (before != commit) SWAGE_RETURN_IF_ERROR(all_.Switch(before.value, commit));
        break;
      case HowStaged::kDone:
        SWAGE_RETURN_IF_ERROR(SwitchStaged(before, commit));
        break;
    }
    if (untracked == Untracked::kKeep) return true;
    return RemoveUntracked(Plan(), changes, commit);
  }

  Result<void> SwitchStaged(const CommitSha& before, const CommitSha& commit) {
    SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(Plan().mirror.GitDir()));
    SWAGE_ASSIGN_OR_RETURN(const auto from, git2::FindCommit(repository.get(), before));
    SWAGE_ASSIGN_OR_RETURN(const auto to, git2::FindCommit(repository.get(), commit));
    SWAGE_ASSIGN_OR_RETURN(const auto now, MakeTree(repository.get(), from.get()));
    // Most often: gates build, they do not edit.
    const git_oid* tree = git_tree_id(now.get());
    if (git_oid_equal(tree, git_commit_tree_id(to.get())) != 0) return Ok();
    return all_.Switch(git2::Hex(*tree), commit);
  }

  fs::path Upper() const { return Plan().place / "upper"; }
  fs::path KernelWork() const { return Plan().place / "overlay"; }

  Result<void> LinkIndex() const {
    if (link(base_.index.c_str(), Plan().Index().c_str()) == 0) return Ok();
    return MakeError(ErrorCode::kInternal,
                     fmt::format("share the index of {}: {}", base_.tree.string(),
                                 std::error_code(errno, std::generic_category()).message()));
  }

  PlainTree all_;  // the same files by git's own commands, which look at all of them
  BaseUse base_;
  std::optional<CommitSha> staged_;  // what the index holds; nothing = who knows
  std::optional<TreeSha> tree_;      // the same, where there is no commit of it yet
  OverlayMount mount_;               // after the base: it goes first
};

class OverlayProvisioner final : public Provisioner {
 public:
  OverlayProvisioner(fs::path bases, const KeptTrees& limits) : bases_(std::move(bases), limits) {}

  Result<std::unique_ptr<WorkTree>> Provide(const TreePlan& plan, std::stop_token stop) override {
    SWAGE_ASSIGN_OR_RETURN(BaseUse base, bases_.Use(plan, std::move(stop)));
    auto tree = std::make_unique<OverlayTree>(plan, std::move(base));
    SWAGE_RETURN_IF_ERROR(tree->Lay());
    return std::unique_ptr<WorkTree>(std::move(tree));
  }

  Result<void> Tidy() override { return bases_.Evict(); }

 private:
  Bases bases_;
};

}  // namespace

std::unique_ptr<Provisioner> MakeOverlayProvisioner(fs::path bases, const KeptTrees& limits) {
  return std::make_unique<OverlayProvisioner>(std::move(bases), limits);
}

}  // namespace swage
