#include "pipeline/workspace/worktree_workspace.h"

#include <fmt/format.h>

#include <utility>

#include "config/base/files.h"
#include "config/base/text.h"
#include "config/settings.h"
#include "pipeline/workspace/checks.h"
#include "pipeline/workspace/commit_object.h"
#include "pipeline/workspace/diff.h"
#include "pipeline/workspace/file_ownership.h"
#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/include.h"
#include "pipeline/workspace/index_tree.h"
#include "pipeline/workspace/travel.h"
#include "pipeline/workspace/trusted_git_dir.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

CommandContext MakeContext(const fs::path& place, const fs::path& objects,
                           const ProvisionRequest& request) {
  CommandContext context;
  context.name = place.filename().string();
  context.workspace = place / "work";
  context.shares = {{place / "handoff"}, {objects}};
  std::vector<std::string> path = request.extra_path;
  path.emplace_back(kCommandPath);
  context.env = {
      {"PATH", Join(path, ":")},
      {"HOME", place / "home"},
      {"TMPDIR", place / "tmp"},
      {"LANG", "C.UTF-8"},
      {"GIT_CONFIG_NOSYSTEM", "1"},
      {"GIT_TERMINAL_PROMPT", "0"},
      // Without a .git of its own the tree is no repository, rather than part of whatever lies
      // above.
      {"GIT_CEILING_DIRECTORIES", place},
      {"GIT_AUTHOR_NAME", "Swage"},
      {"GIT_AUTHOR_EMAIL", "swage@localhost"},
      {"GIT_COMMITTER_NAME", "Swage"},
      {"GIT_COMMITTER_EMAIL", "swage@localhost"},
  };
  for (const auto& [name, value] : request.extra_env) context.env[name] = value;
  return context;
}

}  // namespace

WorktreeWorkspace::WorktreeWorkspace(TreePlan plan, const ProvisionRequest& request,
                                     std::function<void()> on_gone)
    : plan_(std::move(plan)),
      root_(plan_.Root()),
      handoff_(plan_.place / "handoff"),
      last_(request.start),
      commands_(MakeContext(plan_.place, plan_.mirror.GitDir() / "objects", request)),
      on_gone_(std::move(on_gone)) {}

Result<std::unique_ptr<Workspace>> WorktreeWorkspace::Provision(
    Mirror mirror, Git git, Provisioner& provisioner, const fs::path& workspaces,
    const std::string& name, const ProvisionRequest& request, std::function<void()> on_gone,
    std::stop_token stop) {
  const fs::path admin = mirror.AdminDir(name);
  std::unique_ptr<WorktreeWorkspace> workspace(
      new WorktreeWorkspace({std::move(mirror), std::move(git), workspaces / name, admin,
                             request.branch, request.base, request.start, request.owner},
                            request, std::move(on_gone)));
  const auto provision = [&]() -> Result<void> {
    SWAGE_RETURN_IF_ERROR(CheckBranchName(request.branch));
    SWAGE_RETURN_IF_ERROR(workspace->Register());
    SWAGE_RETURN_IF_ERROR(
        workspace->plan_.mirror.SetBranch(request.branch, request.start, nullptr));
    SWAGE_ASSIGN_OR_RETURN(workspace->tree_,
                           provisioner.Provide(workspace->plan_, std::move(stop)));
    return workspace->Include(request);
  };
  if (const auto provisioned = provision(); !provisioned.ok()) {
    (void)workspace->Release().ok();
    return provisioned.error().With(fmt::format("provision {}", name));
  }
  return std::unique_ptr<Workspace>(std::move(workspace));
}

Result<void> WorktreeWorkspace::Register() {
  SWAGE_RETURN_IF_ERROR(plan_.mirror.Guard(repairs_));
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(plan_.mirror.GitDir()));
  SWAGE_ASSIGN_OR_RETURN(const auto base, git2::FindCommit(repository.get(), plan_.base));
  SWAGE_RETURN_IF_ERROR(MakeDirectories());
  return RegisterTree(plan_.admin, root_, HeadOnBranch(plan_.branch));
}

Result<void> WorktreeWorkspace::MakeDirectories() {
  for (const fs::path& dir : {handoff_, plan_.place / "home", plan_.place / "tmp"}) {
    SWAGE_RETURN_IF_ERROR(MakeDirs(dir));
    SWAGE_RETURN_IF_ERROR(GiveDirectory(dir, plan_.owner));
  }
  if (!plan_.owner) return Ok();
  const fs::path workspaces = plan_.place.parent_path();
  for (const fs::path& dir : {workspaces.parent_path(), workspaces, plan_.place}) {
    SWAGE_RETURN_IF_ERROR(LetPass(dir));
  }
  return ShowObjects(plan_.mirror.GitDir(), *plan_.owner);
}

Result<void> WorktreeWorkspace::Include(const ProvisionRequest& request) {
  if (!request.include) return Ok();
  const IncludePlace place{plan_.admin, root_, plan_.place, plan_.owner};
  SWAGE_ASSIGN_OR_RETURN(included_, IncludeIgnored(plan_.git, place, request.include->folder,
                                                   request.include->patterns));
  return Ok();
}

// Once more, for what the last command of the task did.
std::vector<std::string> WorktreeWorkspace::TakeRepairs() {
  if (const auto guarded = Guard(repairs_); !guarded.ok()) {
    repairs_.push_back("the bot's git directory could not be checked: " + guarded.error().message);
  }
  return std::exchange(repairs_, {});
}

Result<void> WorktreeWorkspace::Guard(std::vector<std::string>& warnings) {
  SWAGE_RETURN_IF_ERROR(plan_.mirror.Guard(warnings));
  return GuardTree(plan_.admin, HeadOnBranch(plan_.branch), warnings);
}

Result<Snapshot> WorktreeWorkspace::TakeSnapshot(const std::string& message,
                                                 const CommitIdentity& author,
                                                 std::vector<std::string>& warnings) {
  SWAGE_RETURN_IF_ERROR(Guard(warnings));
  SWAGE_RETURN_IF_ERROR(tree_->Stage(warnings));
  SWAGE_ASSIGN_OR_RETURN(const bool unstaged, Unstage(plan_.Index(), included_));
  SWAGE_ASSIGN_OR_RETURN(Snapshot snapshot, Commit(message, author, unstaged));
  SWAGE_RETURN_IF_ERROR(tree_->RenewGit(last_));
  return snapshot;
}

Result<Snapshot> WorktreeWorkspace::Commit(const std::string& message, const CommitIdentity& author,
                                           bool unstaged) {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(plan_.mirror.GitDir()));
  SWAGE_ASSIGN_OR_RETURN(const auto parent, git2::FindCommit(repository.get(), last_));
  SWAGE_ASSIGN_OR_RETURN(const auto tree, unstaged
                                              ? TreeOfIndex(repository.get(), plan_, parent.get())
                                              : tree_->MakeTree(repository.get(), parent.get()));
  Snapshot snapshot{last_, TreeSha{git2::Hex(*git_tree_id(tree.get()))}, false};
  if (git_oid_equal(git_tree_id(tree.get()), git_commit_tree_id(parent.get())) != 0)
    return snapshot;

  SWAGE_ASSIGN_OR_RETURN(const auto signature, SignatureOf(author));
  SWAGE_ASSIGN_OR_RETURN(
      snapshot.commit,
      WriteCommit(repository.get(), {*parent, *tree, *signature, *signature, message},
                  plan_.git.Signer()));
  snapshot.changed = true;
  SWAGE_RETURN_IF_ERROR(plan_.mirror.SetBranch(plan_.branch, snapshot.commit, &last_));
  last_ = snapshot.commit;
  return snapshot;
}

Result<DiffSummary> WorktreeWorkspace::DiffFromBase(const CommitSha& commit) {
  return DiffCommits(plan_.mirror.GitDir(), plan_.base, commit);
}

Result<std::string> WorktreeWorkspace::PackFromBase(const CommitSha& commit) {
  return PackCommits(plan_.git, plan_.mirror.GitDir(), plan_.base, commit);
}

Result<void> WorktreeWorkspace::MoveTo(const CommitSha& commit, Untracked untracked) {
  SWAGE_RETURN_IF_ERROR(Guard(repairs_));
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(commit));
  return tree_->MoveTo(commit, untracked);
}

Result<void> WorktreeWorkspace::Reset(const CommitSha& commit) {
  SWAGE_RETURN_IF_ERROR(MoveTo(commit, Untracked::kRemove));
  SWAGE_RETURN_IF_ERROR(plan_.mirror.SetBranch(plan_.branch, commit, &last_));
  last_ = commit;
  return tree_->RenewGit(last_);
}

Result<void> WorktreeWorkspace::Restore(const CommitSha& commit) {
  return MoveTo(commit, Untracked::kKeep);
}

Result<void> WorktreeWorkspace::Release() {
  if (tree_ != nullptr) SWAGE_RETURN_IF_ERROR(tree_->Release());
  SWAGE_RETURN_IF_ERROR(RemoveTree(plan_.admin));
  SWAGE_RETURN_IF_ERROR(RemoveTree(plan_.place));
  return Ok();
}

}  // namespace swage
