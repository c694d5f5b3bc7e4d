// Workspaces: a mirror per repository, a worktree per task, and a trust boundary between them.
//
// The mirror (bare) belongs to the bot. A task's worktree is registered in the mirror, so its index
// and HEAD live on the bot's side; the `.git` that the agent sees is a private directory with
// alternates to the mirror's objects. The agent may do what it likes in there: the bot takes the
// files, never the agent's refs, config, hooks or commits (T31 to T33). Every git call names
// --git-dir and --work-tree, starts from an empty environment, and turns hooks, fsmonitor, filters,
// credential helpers and foreign transports off.
//
// Layout below data_dir:
//   mirrors/FORGE-REPOID.git         one bare repository; a lock file beside it orders its changes
//   workspaces/TASK-TOKEN/work       the files
//   workspaces/TASK-TOKEN/home, tmp  private to the task
//   workspaces/TASK-TOKEN/handoff    task.json and prompt.md
//   bases/, pool/                    what the provisioners keep for the next task
//
// Thread-safe: tasks of one repository work in parallel; per-repository steps take the mirror's
// lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/file_owner.h"
#include "config/base/process.h"
#include "config/base/result.h"
#include "forge/model.h"
#include "pipeline/gate.h"

namespace swage {

struct CommitIdentity {
  std::string name;
  std::string email;
};

/// A range of lines of the head version that a diff shows: the only lines a review may comment on.
struct DiffHunk {
  int first_line = 0;
  int line_count = 0;
};
struct FileDiff {
  std::string path;
  std::string old_path;  ///< differs from path for renames
  char change = 'M';     ///< A, M, D, R
  bool binary = false;
  int added = 0;
  int removed = 0;
  std::vector<DiffHunk> hunks;
};
struct DiffSummary {
  std::vector<FileDiff> files;
  bool Empty() const { return files.empty(); }
};

struct Snapshot {
  CommitSha commit;  ///< the new checkpoint, or the previous one when nothing changed
  TreeSha tree;
  bool changed = false;  ///< against the parent
};

/// Ignored files that a workspace begins with: see include.h.
struct IncludeSpec {
  std::filesystem::path folder;
  std::string patterns;  ///< as in .gitignore
};

struct ProvisionRequest {
  RepoRef repo;
  TaskId task;
  std::string branch;  ///< task branch; created at `start`
  CommitSha base;      ///< the diff is measured from here
  CommitSha start;     ///< files start as in this commit: the base, or the last checkpoint
  std::map<std::string, std::string> extra_env;  ///< SWAGE_* for the commands
  std::vector<std::string> extra_path;
  std::optional<FileOwner> owner = {};  ///< whose the files have to be; nothing = the bot's own
  /// Whether processes that the bot did not start must see the files (a container daemon's): then
  /// nothing is mounted for them.
  bool seen_by_host = false;
  std::optional<IncludeSpec> include = {};
};

/// One task's files. Destroying it leaves the files; Release removes them.
class Workspace {
 public:
  virtual ~Workspace() = default;
  virtual const std::filesystem::path& Root() const = 0;        ///< .../work
  virtual const std::filesystem::path& HandOffDir() const = 0;  ///< outside the work tree
  virtual const CommandContext& Commands() const = 0;
  /// Takes the files into a commit on the task branch (refs/heads/BRANCH of the mirror), whose
  /// parent is the last checkpoint or the base. Nested git directories are moved out of the way and
  /// reported in `warnings`. Empty change: no commit. Blocks.
  virtual Result<Snapshot> TakeSnapshot(const std::string& message, const CommitIdentity& author,
                                        std::vector<std::string>& warnings) = 0;
  /// The diff from the base to `commit`, renames detected.
  virtual Result<DiffSummary> DiffFromBase(const CommitSha& commit) = 0;
  /// The commits from the base to `commit`, for Workspaces::Unpack on another node. Errors:
  /// kTooLarge (more than kMaxCheckpointBytes), kNotFound. Blocks for minutes at most.
  virtual Result<std::string> PackFromBase(const CommitSha& commit) = 0;
  /// Puts the files back to `commit`, untracked ones removed; ignored ones stay.
  virtual Result<void> Reset(const CommitSha& commit) = 0;
  /// Puts the tracked files back to `commit`; untracked ones (what a build left) stay.
  virtual Result<void> Restore(const CommitSha& commit) = 0;
  /// What had to be put back in the bot's own git directories since the last call, beyond what
  /// TakeSnapshot has reported; one sentence each (C12).
  virtual std::vector<std::string> TakeRepairs() { return {}; }
  /// Unregisters the worktree and deletes the directory without following links (T37).
  virtual Result<void> Release() = 0;
};

/// The most that one checkpoint may weigh, packed, to get from node to node.
inline constexpr std::size_t kMaxCheckpointBytes = 32 << 20;

struct PushRequest {
  RepoRef repo;
  GitRemote remote;
  std::string branch;
  CommitSha sha;
  CommitSha expected;  ///< what the forge's branch must hold now; empty = it must not exist
};

/// A branch's own commits once more, on another commit.
struct Replayed {
  CommitSha head;
  /// Paths whose changes do not fit there and were left out. With any, all that fits is one commit.
  std::vector<std::string> left_out;
};

/// By what the bot knows a commit that it made for a task.
struct OwnMark {
  std::string email;    ///< of the committer
  std::string trailer;  ///< a line of the message
};

class Workspaces {
 public:
  virtual ~Workspaces() = default;
  /// Brings the mirror up to date: clones it the first time. Returns the commit of `branch`.
  /// Errors: kNotFound (no such branch), kUnavailable, kDenied.
  virtual Result<CommitSha> Fetch(const RepoRef& repo, const GitRemote& remote,
                                  const std::string& branch, std::stop_token stop) = 0;
  /// A file of a commit in the mirror; kNotFound when absent. Never touches a work tree.
  virtual Result<std::string> ReadCommitted(const RepoRef& repo, const CommitSha& commit,
                                            std::string_view path) = 0;
  /// The file before its last changes, newest first: the last commit of each earlier version of
  /// it, on the line of first parents behind `commit`. At most `limit`, among the newest few
  /// thousand commits.
  virtual Result<std::vector<CommitSha>> ListEarlier(const RepoRef& repo, const CommitSha& commit,
                                                     std::string_view path, int limit) = 0;
  /// Where a commit between `base` and `head` first brings something that `holds` says yes to: a
  /// path, "a file name" or "a commit message"; nothing when all are clean (T39). Errors:
  /// kNotFound.
  virtual Result<std::optional<std::string>> FindInHistory(
      const RepoRef& repo, const CommitSha& base, const CommitSha& head,
      const std::function<bool(std::string_view)>& holds) = 0;
  /// The diff between two commits of the mirror, renames detected. Errors: kNotFound.
  virtual Result<DiffSummary> Diff(const RepoRef& repo, const CommitSha& from,
                                   const CommitSha& to) = 0;
  virtual bool HasCommit(const RepoRef& repo, const CommitSha& commit) = 0;
  /// The newest commit that both hold; nothing when they have no history in common. Errors:
  /// kNotFound (the mirror lacks one of them).
  virtual Result<std::optional<CommitSha>> FindMergeBase(const RepoRef& repo, const CommitSha& one,
                                                         const CommitSha& other) = 0;
  /// What `head` has and `base` lacks, on `onto`: the same authors and messages, without what is
  /// there already. Writes commits alone, to which nothing refers yet. Errors: kNotFound (the
  /// mirror lacks one of them), kTooLarge (more than kMaxReplayed commits).
  virtual Result<Replayed> Replay(const RepoRef& repo, const CommitSha& base, const CommitSha& head,
                                  const CommitSha& onto) = 0;
  /// Brings what PackFromBase made elsewhere into the mirror, so that `commit` can be worked on and
  /// pushed. Errors: kNotFound (the mirror lacks `base`: fetch first), kInvalid (broken),
  /// kTooLarge.
  virtual Result<void> Unpack(const RepoRef& repo, const CommitSha& base, const CommitSha& commit,
                              std::string_view pack) = 0;
  virtual Result<std::unique_ptr<Workspace>> Provision(const ProvisionRequest& request,
                                                       std::stop_token stop) = 0;
  /// Pushes exactly one ref with --force-with-lease (T40). Pushing what is already there is
  /// success. Errors: kConflict (the branch holds something else), kDenied, kUnavailable.
  virtual Result<void> Push(const PushRequest& request, std::stop_token stop) = 0;
  /// The forge's head of `branch`, when all that it holds beyond `base_branch` and `base` is the
  /// bot's work for this task (X26, X29); nothing when it is somebody else's, or not there. Reads
  /// the forge anew.
  virtual Result<std::optional<CommitSha>> FindOwnBranch(const RepoRef& repo,
                                                         const GitRemote& remote,
                                                         const std::string& branch,
                                                         const std::string& base_branch,
                                                         const CommitSha& base, const OwnMark& mark,
                                                         std::stop_token stop) = 0;
  /// Forgets a task branch of the mirror whose work is at the forge: its head is `pushed`, or all
  /// of it is in `base_branch` as it was fetched last, also squashed (C11). What it holds stays for
  /// whoever takes the task up again. Returns whether the branch was there and is gone. Errors:
  /// kInternal.
  virtual Result<bool> ForgetBranch(const RepoRef& repo, const std::string& branch,
                                    const std::string& base_branch, const CommitSha& pushed) = 0;
  /// Removes every workspace that belongs to none of `live`; returns what was removed (C11).
  virtual Result<std::vector<std::string>> SweepOrphans(const std::set<TaskId>& live) = 0;
  /// Removes of what lies ready for the next task what is too old or too much (KeptTrees).
  virtual Result<void> TidyKept() { return Ok(); }
  /// Whether the installed git is new enough (T34). Errors: kInvalid with the version and the fix.
  virtual Result<void> CheckGit() = 0;
};

class CommitSigner;

/// How the files of a task come to be, cheapest first; see provisioner.h.
enum class ProvisionWay { kOverlay, kRecycled, kPlain };

/// What may lie ready for the next task, beside the workspaces: base checkouts, released worktrees.
struct KeptTrees {
  int per_repository = 3;
  std::chrono::milliseconds unused{std::chrono::hours(7 * 24)};
  std::uint64_t bytes = std::uint64_t{20} << 30;  ///< of files, all repositories together
};

struct WorkspaceOptions {
  std::string git = "git";  ///< looked up in the bot's own PATH when it has no '/'
  bool allow_file_remotes =
      false;  ///< local mode: remotes that are absolute paths or file:// (T36)
  std::shared_ptr<const CommitSigner> signer = nullptr;  ///< null = commits are not signed (F11)
  ProvisionWay provision = ProvisionWay::kPlain;  ///< the overlay: only when CanOverlay said yes
  KeptTrees kept = {};
};

/// Works without doing anything yet; directories are made as they are needed. `processes` must
/// outlive it.
std::unique_ptr<Workspaces> MakeWorktreeWorkspaces(std::filesystem::path data_dir,
                                                   ProcessRunner& processes,
                                                   WorkspaceOptions options = {});

}  // namespace swage
