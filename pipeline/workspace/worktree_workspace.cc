#include "pipeline/workspace/worktree_workspace.h"

#include <fmt/format.h>

#include <array>

#include "config/base/clock.h"
#include "config/base/files.h"
#include "config/base/text.h"
#include "config/settings.h"
#include "pipeline/workspace/checks.h"
#include "pipeline/workspace/commit_signer.h"
#include "pipeline/workspace/diff.h"
#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/private_git_dir.h"
#include "pipeline/workspace/travel.h"
#include "pipeline/workspace/tree_scan.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::minutes kCheckoutLimit{30};
constexpr std::string_view kCommonDir = "../..\n";

// Each of these, in the trusted git directory of the worktree, would change what git does there.
constexpr std::array<std::string_view, 4> kForbidden = {"config.worktree", "config", "hooks",
                                                        "info"};

std::string HeadOf(const std::string& branch) {
  return fmt::format("ref: refs/heads/{}\n", branch);
}

CommandContext MakeContext(const fs::path& place, const ProvisionRequest& request) {
  CommandContext context;
  context.workspace = place / "work";
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

Result<git2::Signature> MakeSignature(const CommitIdentity& identity) {
  git_signature* raw = nullptr;
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(SystemClock().Now().time_since_epoch());
  const int code =
      git_signature_new(&raw, identity.name.c_str(), identity.email.c_str(), seconds.count(), 0);
  if (code != 0) return git2::FailureOf(code, "author of the checkpoint");
  return git2::Signature(raw);
}

Result<git2::Tree> WriteTree(git_repository* repository, const fs::path& index_file) {
  git_index* raw_index = nullptr;
  int code = git_index_open(&raw_index, index_file.c_str());
  const git2::Index index(raw_index);
  git_oid oid;
  if (code == 0) code = git_index_write_tree_to(&oid, index.get(), repository);
  git_tree* raw_tree = nullptr;
  if (code == 0) code = git_tree_lookup(&raw_tree, repository, &oid);
  if (code != 0) return git2::FailureOf(code, "write tree");
  return git2::Tree(raw_tree);
}

// The commit object as git hashes it, and as it is signed.
Result<std::string> RenderCommit(git_repository* repository, const git_commit& parent,
                                 const git_tree& tree, const git_signature& author,
                                 const std::string& message) {
  const git_commit* parents[] = {&parent};
  git_buf buffer = GIT_BUF_INIT;
  const int code = git_commit_create_buffer(&buffer, repository, &author, &author, nullptr,
                                            message.c_str(), &tree, 1, parents);
  std::string text;
  if (code == 0) text.assign(buffer.ptr, buffer.size);
  git_buf_dispose(&buffer);
  if (code != 0) return git2::FailureOf(code, "render checkpoint");
  return text;
}

Result<CommitSha> WriteCommit(git_repository* repository, const std::string& text,
                              const CommitSigner* signer) {
  std::string signature;
  if (signer != nullptr) {
    SWAGE_ASSIGN_OR_RETURN(signature, signer->Sign(text));
  }
  git_oid oid;
  const int code = git_commit_create_with_signature(
      &oid, repository, text.c_str(), signature.empty() ? nullptr : signature.c_str(), nullptr);
  if (code != 0) return git2::FailureOf(code, "write checkpoint");
  return CommitSha{git2::Hex(oid)};
}

}  // namespace

WorktreeWorkspace::WorktreeWorkspace(Mirror mirror, Git git, fs::path place,
                                     const std::string& name, const ProvisionRequest& request,
                                     std::function<void()> on_gone)
    : mirror_(std::move(mirror)),
      git_(std::move(git)),
      place_(std::move(place)),
      root_(place_ / "work"),
      handoff_(place_ / "handoff"),
      admin_(mirror_.AdminDir(name)),
      branch_(request.branch),
      base_(request.base),
      last_(request.start),
      commands_(MakeContext(place_, request)),
      on_gone_(std::move(on_gone)) {}

Result<std::unique_ptr<Workspace>> WorktreeWorkspace::Provision(
    Mirror mirror, Git git, const fs::path& workspaces, const std::string& name,
    const ProvisionRequest& request, std::function<void()> on_gone, std::stop_token stop) {
  std::unique_ptr<WorktreeWorkspace> workspace(new WorktreeWorkspace(
      std::move(mirror), std::move(git), workspaces / name, name, request, std::move(on_gone)));
  const auto provision = [&]() -> Result<void> {
    SWAGE_RETURN_IF_ERROR(CheckBranchName(request.branch));
    SWAGE_RETURN_IF_ERROR(workspace->Register());
    SWAGE_RETURN_IF_ERROR(workspace->mirror_.SetBranch(request.branch, request.start, nullptr));
    return workspace->Checkout(request.start, std::move(stop));
  };
  if (const auto provisioned = provision(); !provisioned.ok()) {
    (void)workspace->Release().ok();
    return provisioned.error().With(fmt::format("provision {}", name));
  }
  return std::unique_ptr<Workspace>(std::move(workspace));
}

// Written by hand: names are unique, so neither `git worktree add` nor a lock is needed. "locked"
// keeps any prune away.
Result<void> WorktreeWorkspace::Register() {
  std::vector<std::string> repairs;
  SWAGE_RETURN_IF_ERROR(mirror_.Guard(repairs));
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(mirror_.GitDir()));
  SWAGE_ASSIGN_OR_RETURN(const auto base, git2::FindCommit(repository.get(), base_));
  for (const fs::path& dir : {root_, handoff_, place_ / "home", place_ / "tmp", admin_}) {
    SWAGE_RETURN_IF_ERROR(MakeDirs(dir));
  }
  SWAGE_RETURN_IF_ERROR(WriteFileFast(admin_ / "commondir", kCommonDir));
  SWAGE_RETURN_IF_ERROR(WriteFileFast(admin_ / "gitdir", (root_ / ".git").string() + "\n"));
  SWAGE_RETURN_IF_ERROR(WriteFileFast(admin_ / "locked", "a task's workspace\n"));
  return WriteFileFast(admin_ / "HEAD", HeadOf(branch_));
}

GitCall WorktreeWorkspace::Call(std::vector<std::string> arguments) const {
  GitCall call;
  call.git_dir = admin_;
  call.work_tree = root_;
  call.arguments = std::move(arguments);
  call.time_limit = kCheckoutLimit;
  return call;
}

Result<void> WorktreeWorkspace::Checkout(const CommitSha& commit, std::stop_token stop) {
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(commit));
  const auto read = git_.Run(Call({"read-tree", "--reset", "-u", commit.value}), std::move(stop));
  if (!read.ok()) return read.error();
  return RefreshPrivateGit();
}

Result<void> WorktreeWorkspace::RefreshPrivateGit() {
  return WritePrivateGitDir(
      {root_, mirror_.GitDir() / "objects", admin_ / "index", branch_, last_});
}

Result<void> WorktreeWorkspace::Guard(std::vector<std::string>& warnings) {
  SWAGE_RETURN_IF_ERROR(mirror_.Guard(warnings));
  std::error_code ignored;
  fs::remove(admin_ / "index.lock", ignored);  // of a git that was killed; no other one runs here
  for (const std::string_view name : kForbidden) {
    if (!fs::exists(fs::symlink_status(admin_ / name, ignored))) continue;
    SWAGE_RETURN_IF_ERROR(RemoveTree(admin_ / name));
    warnings.push_back(
        fmt::format("somebody had put {} into the worktree's git directory; it was removed", name));
  }
  for (const auto& [name, bytes] :
       {std::pair<std::string_view, std::string>{"commondir", kCommonDir},
        {"HEAD", HeadOf(branch_)}}) {
    const auto found = ReadFile(admin_ / name);
    if (found.ok() && *found == bytes) continue;
    SWAGE_RETURN_IF_ERROR(RemoveTree(admin_ / name));
    SWAGE_RETURN_IF_ERROR(WriteFileFast(admin_ / name, bytes));
    warnings.push_back(fmt::format("the worktree's {} had been changed; it was put back", name));
  }
  return Ok();
}

// Of files that are large, those that git would take: not the ignored ones, not the unchanged ones.
Result<void> WorktreeWorkspace::RefuseLargeFiles(const std::vector<std::string>& candidates) {
  if (candidates.empty()) return Ok();
  std::vector<std::string> arguments = {
      "--literal-pathspecs", "ls-files",           "-z", "--others",
      "--modified",          "--exclude-standard", "--"};
  arguments.insert(arguments.end(), candidates.begin(), candidates.end());
  SWAGE_ASSIGN_OR_RETURN(const std::string taken, git_.Run(Call(std::move(arguments))));
  if (taken.empty()) return Ok();
  const std::string first = taken.substr(0, taken.find('\0'));
  return MakeError(ErrorCode::kTooLarge,
                   fmt::format("{} is larger than {} MiB; remove it or have git ignore it",
                               ToValidUtf8(first), kMaxFileBytes >> 20));
}

Result<Snapshot> WorktreeWorkspace::TakeSnapshot(const std::string& message,
                                                 const CommitIdentity& author,
                                                 std::vector<std::string>& warnings) {
  SWAGE_RETURN_IF_ERROR(Guard(warnings));
  SWAGE_ASSIGN_OR_RETURN(TreeScan scan, ScanTree(root_, place_ / "quarantine", kMaxFileBytes));
  warnings.insert(warnings.end(), scan.warnings.begin(), scan.warnings.end());
  SWAGE_RETURN_IF_ERROR(RefuseLargeFiles(scan.large_files));
  const auto added = git_.Run(Call({"add", "--all", "--", "."}));
  if (!added.ok()) return added.error();
  SWAGE_ASSIGN_OR_RETURN(Snapshot snapshot, Commit(message, author));
  SWAGE_RETURN_IF_ERROR(RefreshPrivateGit());
  return snapshot;
}

Result<Snapshot> WorktreeWorkspace::Commit(const std::string& message,
                                           const CommitIdentity& author) {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(mirror_.GitDir()));
  SWAGE_ASSIGN_OR_RETURN(const auto parent, git2::FindCommit(repository.get(), last_));
  SWAGE_ASSIGN_OR_RETURN(const auto tree, WriteTree(repository.get(), admin_ / "index"));
  Snapshot snapshot{last_, TreeSha{git2::Hex(*git_tree_id(tree.get()))}, false};
  if (git_oid_equal(git_tree_id(tree.get()), git_commit_tree_id(parent.get())) != 0)
    return snapshot;

  SWAGE_ASSIGN_OR_RETURN(const auto signature, MakeSignature(author));
  SWAGE_ASSIGN_OR_RETURN(const std::string text,
                         RenderCommit(repository.get(), *parent, *tree, *signature, message));
  SWAGE_ASSIGN_OR_RETURN(snapshot.commit, WriteCommit(repository.get(), text, git_.Signer()));
  snapshot.changed = true;
  SWAGE_RETURN_IF_ERROR(mirror_.SetBranch(branch_, snapshot.commit, &last_));
  last_ = snapshot.commit;
  return snapshot;
}

Result<DiffSummary> WorktreeWorkspace::DiffFromBase(const CommitSha& commit) {
  return DiffCommits(mirror_.GitDir(), base_, commit);
}

Result<std::string> WorktreeWorkspace::PackFromBase(const CommitSha& commit) {
  return PackCommits(git_, mirror_.GitDir(), base_, commit);
}

Result<void> WorktreeWorkspace::Reset(const CommitSha& commit) {
  std::vector<std::string> repairs;
  SWAGE_RETURN_IF_ERROR(Guard(repairs));
  SWAGE_ASSIGN_OR_RETURN(const TreeScan scan,
                         ScanTree(root_, place_ / "quarantine", kMaxFileBytes));
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(commit));
  const auto read = git_.Run(Call({"read-tree", "--reset", "-u", commit.value}));
  if (!read.ok()) return read.error();
  const auto cleaned = git_.Run(Call({"clean", "--quiet", "-d", "--force"}));
  if (!cleaned.ok()) return cleaned.error();
  SWAGE_RETURN_IF_ERROR(mirror_.SetBranch(branch_, commit, &last_));
  last_ = commit;
  return RefreshPrivateGit();
}

Result<void> WorktreeWorkspace::Restore(const CommitSha& commit) {
  std::vector<std::string> repairs;
  SWAGE_RETURN_IF_ERROR(Guard(repairs));
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(commit));
  const auto read = git_.Run(Call({"read-tree", "--reset", "-u", commit.value}));
  if (!read.ok()) return read.error();
  return Ok();
}

Result<void> WorktreeWorkspace::Release() {
  SWAGE_RETURN_IF_ERROR(RemoveTree(admin_));
  SWAGE_RETURN_IF_ERROR(RemoveTree(place_));
  return Ok();
}

}  // namespace swage
