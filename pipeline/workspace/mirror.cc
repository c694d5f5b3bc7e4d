#include "pipeline/workspace/mirror.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <array>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "config/base/clock.h"
#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/workspace/checks.h"
#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/merged.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

using std::chrono::minutes;

constexpr minutes kFirstFetchLimit{60};
constexpr minutes kFetchLimit{15};
constexpr minutes kPushLimit{15};
constexpr minutes kPruneLimit{
    8};  // of two calls, for which a fetch waits no longer than kLockLimit
constexpr minutes kLockLimit{20};
constexpr std::chrono::milliseconds kLockPause{20};
constexpr std::chrono::seconds kLockAge{60};
// A task branch has one writer, and that for microseconds: a lock that stays is a dead process's.
constexpr int kBranchLockTries = 25;
constexpr std::size_t kMaxCommittedFileBytes = 16 << 20;

constexpr std::string_view kConfig =
    "[core]\n"
    "\trepositoryformatversion = 0\n"
    "\tfilemode = true\n"
    "\tbare = true\n"
    "\tlogallrefupdates = false\n";

constexpr std::string_view kHead = "ref: refs/heads/none\n";

// Each of these, if it were there, would change what git does in this repository: whose
// configuration, objects and refs it takes, and which commits it sees.
constexpr std::array<std::string_view, 13> kForbidden = {"config.worktree",
                                                         "hooks",
                                                         "info/attributes",
                                                         "info/exclude",
                                                         "info/grafts",
                                                         "shallow",
                                                         "objects/info/alternates",
                                                         "objects/info/http-alternates",
                                                         "commondir",
                                                         "branches",
                                                         "remotes",
                                                         "refs/replace",
                                                         "config.lock"};

// Holds the lock file of a mirror, also against another process.
class FileLock {
 public:
  static Result<FileLock> Take(const fs::path& path, const std::stop_token& stop) {
    Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.valid()) {
      return MakeError(ErrorCode::kInternal, fmt::format("cannot open lock {}", path.string()));
    }
    const SystemClock clock;
    const MonotonicTime give_up = clock.Monotonic() + kLockLimit;
    std::mutex mutex;
    std::condition_variable_any nothing;
    std::unique_lock hold(mutex);
    while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (stop.stop_requested())
        return MakeError(ErrorCode::kCancelled, "stopped waiting for a lock");
      if (clock.Monotonic() >= give_up) {
        return MakeError(ErrorCode::kTimeout, fmt::format("lock {} stays taken", path.string()));
      }
      nothing.wait_for(hold, stop, kLockPause, [] { return false; });
    }
    return FileLock(std::move(fd));
  }

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// What a killed git leaves. `age` spares what somebody may be writing just now.
void RemoveMatching(const fs::path& dir, std::chrono::seconds age,
                    const std::function<bool(const std::string&)>& matches) {
  std::error_code ignored;
  const auto now = fs::file_time_type::clock::from_sys(SystemClock().Now());
  for (auto it = fs::recursive_directory_iterator(dir, ignored);
       it != fs::recursive_directory_iterator(); it.increment(ignored)) {
    if (!matches(it->path().filename().string()) || !it->is_regular_file(ignored)) continue;
    if (now - it->last_write_time(ignored) >= age) fs::remove(it->path(), ignored);
  }
}

bool IsLock(const std::string& name) {
  return name.ends_with(".lock");
}

bool NamesACommit(git_repository* repository, const fs::path& branch) {
  const auto text = ReadFile(branch);
  return text.ok() && git2::FindCommit(repository, CommitSha{std::string(Trim(*text))}).ok();
}

Result<CommitSha> ReadRemoteBranch(const fs::path& git_dir, const std::string& branch) {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(git_dir));
  git_oid oid;
  const std::string ref = "refs/remotes/origin/" + branch;
  const int code = git_reference_name_to_id(&oid, repository.get(), ref.c_str());
  if (code == GIT_ENOTFOUND) {
    return MakeError(ErrorCode::kNotFound, fmt::format("the repository has no branch {}", branch));
  }
  if (code != 0) return git2::FailureOf(code, "branch " + branch);
  return CommitSha{git2::Hex(oid)};
}

/// What the commit holds there; nothing when it has no such file.
std::optional<std::string> BlobAt(git_commit* commit, const std::string& path) {
  const auto tree = git2::TreeOf(commit);
  if (!tree.ok()) return std::nullopt;
  git_tree_entry* raw_entry = nullptr;
  if (git_tree_entry_bypath(&raw_entry, tree->get(), path.c_str()) != 0) return std::nullopt;
  const git2::TreeEntry entry(raw_entry);
  return git2::Hex(*git_tree_entry_id(entry.get()));
}

}  // namespace

Result<void> Mirror::Create() {
  const fs::path fresh = git_dir_.string() + ".new-" + RandomHex(4);
  for (const char* part :
       {"objects/info", "objects/pack", "refs/heads", "refs/remotes", "worktrees"}) {
    SWAGE_RETURN_IF_ERROR(MakeDirs(fresh / part));
  }
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(fresh / "config", kConfig));
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(fresh / "HEAD", kHead));
  std::error_code error;
  fs::rename(fresh, git_dir_, error);
  if (error) {
    return MakeError(ErrorCode::kInternal,
                     fmt::format("create mirror {}: {}", git_dir_.string(), error.message()));
  }
  return Ok();
}

bool Mirror::Exists() const {
  std::error_code ignored;
  return fs::exists(git_dir_ / "HEAD", ignored);
}

// Under the lock: nobody else writes packs or remote branches. Task branches are written without
// it, within microseconds.
void Mirror::RemoveLeftovers() const {
  std::error_code ignored;
  fs::remove(git_dir_ / "packed-refs.lock", ignored);
  RemoveMatching(git_dir_ / "refs" / "remotes", std::chrono::seconds(0), IsLock);
  RemoveMatching(git_dir_ / "refs" / "heads", kLockAge, IsLock);
  RemoveMatching(git_dir_ / "objects" / "pack", std::chrono::seconds(0),
                 [](const std::string& name) { return name.starts_with("tmp_"); });
}

// A power cut may take the newest objects and leave a branch that names them, and git then fetches
// nothing at all: the work of one task must not stop the others (I10). Branches are never packed.
Result<bool> Mirror::RemoveBrokenBranches() const {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(git_dir_));
  bool any = false;
  std::error_code ignored;
  for (auto it = fs::recursive_directory_iterator(git_dir_ / "refs" / "heads", ignored);
       it != fs::recursive_directory_iterator(); it.increment(ignored)) {
    const bool branch = it->is_regular_file(ignored) && !IsLock(it->path().filename().string());
    if (!branch || NamesACommit(repository.get(), it->path())) continue;
    any |= fs::remove(it->path(), ignored);
  }
  return any;
}

Result<CommitSha> Mirror::Fetch(const GitRemote& remote, const std::string& branch,
                                std::stop_token stop) {
  SWAGE_RETURN_IF_ERROR(CheckBranchName(branch));
  SWAGE_RETURN_IF_ERROR(MakeDirs(git_dir_.parent_path()));
  SWAGE_ASSIGN_OR_RETURN(const FileLock lock, FileLock::Take(git_dir_.string() + ".lock", stop));
  if (!Exists()) SWAGE_RETURN_IF_ERROR(Create());
  std::vector<std::string> repairs;
  SWAGE_RETURN_IF_ERROR(Guard(repairs));
  RemoveLeftovers();

  std::error_code ignored;
  const bool first = fs::is_empty(git_dir_ / "refs" / "remotes", ignored);
  GitCall call;
  call.git_dir = git_dir_;
  call.arguments = {"fetch",
                    "--quiet",
                    "--no-tags",
                    "--prune",
                    "--no-write-fetch-head",
                    "--",
                    remote.url,
                    "+refs/heads/*:refs/remotes/origin/*"};
  call.remote = &remote;
  call.time_limit = first ? kFirstFetchLimit : kFetchLimit;
  auto fetched = git_.Run(call, stop);
  if (!fetched.ok() && fetched.error().code == ErrorCode::kInternal) {
    SWAGE_ASSIGN_OR_RETURN(const bool removed, RemoveBrokenBranches());
    if (removed) fetched = git_.Run(call, stop);
  }
  if (!fetched.ok()) return fetched.error();
  return ReadRemoteBranch(git_dir_, branch);
}

// Not `git gc`: it would pack the branches, too.
Result<void> Mirror::Prune(std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(const FileLock lock, FileLock::Take(git_dir_.string() + ".lock", stop));
  std::vector<std::string> repairs;
  SWAGE_RETURN_IF_ERROR(Guard(repairs));
  RemoveLeftovers();
  const std::string age = fmt::format("{}.hours.ago", kGarbageAge.count());
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"repack", "-A", "-d", "-q", "--unpack-unreachable=" + age},
        {"prune", "--expire=" + age}}) {
    GitCall call;
    call.git_dir = git_dir_;
    call.arguments = arguments;
    call.time_limit = kPruneLimit;
    const auto ran = git_.Run(call, stop);
    if (!ran.ok()) return ran.error().With("prune " + git_dir_.filename().string());
  }
  return Ok();
}

Result<CommitSha> Mirror::ReadFetched(const std::string& branch) const {
  return ReadRemoteBranch(git_dir_, branch);
}

Result<void> Mirror::Push(const PushRequest& request, std::stop_token stop) {
  SWAGE_RETURN_IF_ERROR(CheckBranchName(request.branch));
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(request.sha));
  if (!request.expected.value.empty()) SWAGE_RETURN_IF_ERROR(CheckCommitSha(request.expected));
  std::vector<std::string> repairs;
  SWAGE_RETURN_IF_ERROR(Guard(repairs));

  const std::string ref = "refs/heads/" + request.branch;
  GitCall call;
  call.git_dir = git_dir_;
  call.arguments = {"push",
                    "--quiet",
                    "--no-verify",
                    "--no-follow-tags",
                    fmt::format("--force-with-lease={}:{}", ref, request.expected.value),
                    "--",
                    request.remote.url,
                    request.sha.value + ":" + ref};
  call.remote = &request.remote;
  call.time_limit = kPushLimit;
  const auto pushed = git_.Run(call, stop);
  if (pushed.ok()) return Ok();
  if (pushed.error().code != ErrorCode::kConflict) return pushed.error();

  // An earlier push may have arrived although its answer did not.
  call.arguments = {"ls-remote", "--quiet", "--", request.remote.url, ref};
  const auto listed = git_.Run(call, stop);
  if (listed.ok() && listed->starts_with(request.sha.value + "\t" + ref)) return Ok();
  return pushed.error();
}

Result<std::optional<CommitSha>> Mirror::FindMergeBase(const CommitSha& one,
                                                       const CommitSha& other) const {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(git_dir_));
  SWAGE_ASSIGN_OR_RETURN(const auto first, git2::FindCommit(repository.get(), one));
  SWAGE_ASSIGN_OR_RETURN(const auto second, git2::FindCommit(repository.get(), other));
  git_oid oid;
  const int code = git_merge_base(&oid, repository.get(), git_commit_id(first.get()),
                                  git_commit_id(second.get()));
  if (code == GIT_ENOTFOUND) return std::optional<CommitSha>();
  if (code != 0) return git2::FailureOf(code, "compare two commits");
  return std::optional(CommitSha{git2::Hex(oid)});
}

Result<std::vector<CommitSha>> Mirror::ListEarlier(const CommitSha& sha, std::string_view path,
                                                   int limit) const {
  constexpr int kMaxCommits = 5'000;
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(git_dir_));
  SWAGE_ASSIGN_OR_RETURN(git2::Commit commit, git2::FindCommit(repository.get(), sha));
  const std::string name(path);
  std::vector<CommitSha> earlier;
  std::optional<std::string> newer = BlobAt(commit.get(), name);
  for (int i = 0; i < kMaxCommits && static_cast<int>(earlier.size()) < limit; ++i) {
    git_commit* raw_parent = nullptr;
    if (git_commit_parent(&raw_parent, commit.get(), 0) != 0) break;  // the first commit
    commit.reset(raw_parent);
    std::optional<std::string> here = BlobAt(commit.get(), name);
    if (here && here != newer) earlier.push_back({git2::Hex(*git_commit_id(commit.get()))});
    newer = std::move(here);
  }
  return earlier;
}

Result<std::string> Mirror::ReadCommitted(const CommitSha& sha, std::string_view path) {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(git_dir_));
  SWAGE_ASSIGN_OR_RETURN(const auto commit, git2::FindCommit(repository.get(), sha));
  SWAGE_ASSIGN_OR_RETURN(const auto tree, git2::TreeOf(commit.get()));
  const std::string name(path);
  git_tree_entry* raw_entry = nullptr;
  int code = git_tree_entry_bypath(&raw_entry, tree.get(), name.c_str());
  if (code != 0) return git2::FailureOf(code, name);
  const git2::TreeEntry entry(raw_entry);
  const git_filemode_t mode = git_tree_entry_filemode(entry.get());
  if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE) {
    return MakeError(ErrorCode::kInvalid, fmt::format("{} is not a regular file", name));
  }
  git_blob* raw_blob = nullptr;
  code = git_blob_lookup(&raw_blob, repository.get(), git_tree_entry_id(entry.get()));
  if (code != 0) return git2::FailureOf(code, name);
  const git2::Blob blob(raw_blob);
  const auto size = static_cast<std::size_t>(git_blob_rawsize(blob.get()));
  if (size > kMaxCommittedFileBytes) {
    return MakeError(ErrorCode::kTooLarge,
                     fmt::format("{} is larger than {} bytes", name, kMaxCommittedFileBytes));
  }
  return std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())), size);
}

Result<void> Mirror::Guard(std::vector<std::string>& warnings) {
  const auto config = ReadFile(git_dir_ / "config");
  if (!config.ok() || *config != kConfig) {
    SWAGE_RETURN_IF_ERROR(RemoveTree(git_dir_ / "config"));
    SWAGE_RETURN_IF_ERROR(WriteFileAtomic(git_dir_ / "config", kConfig));
    warnings.push_back("the mirror's git configuration had been changed; it was put back");
  }
  const auto head = ReadFile(git_dir_ / "HEAD");
  if (head.ok() && *head != kHead) {
    SWAGE_RETURN_IF_ERROR(WriteFileAtomic(git_dir_ / "HEAD", kHead));
    warnings.push_back("the mirror's HEAD had been changed; it was put back");
  }
  for (const std::string_view name : kForbidden) {
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(git_dir_ / name, ignored))) continue;
    SWAGE_RETURN_IF_ERROR(RemoveTree(git_dir_ / name));
    warnings.push_back(fmt::format("somebody had put {} into the mirror; it was removed", name));
  }
  return Ok();
}

Result<bool> Mirror::ForgetBranch(const std::string& branch, const std::string& base_branch,
                                  const CommitSha& pushed) {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(git_dir_));
  git_reference* raw = nullptr;
  const std::string ref = "refs/heads/" + branch;
  int code = git_reference_lookup(&raw, repository.get(), ref.c_str());
  if (code == GIT_ENOTFOUND) return false;
  const git2::Reference reference(raw);
  if (code != 0 || git_reference_target(reference.get()) == nullptr) {
    return git2::FailureOf(code, "branch " + branch);
  }
  const CommitSha head{git2::Hex(*git_reference_target(reference.get()))};
  bool safe = head == pushed;
  if (!safe) {
    const auto base = ReadFetched(base_branch);
    if (!base.ok()) return false;  // gone: nothing tells that the work is anywhere else
    SWAGE_ASSIGN_OR_RETURN(safe, IsMergedInto(git_dir_, head, *base));
  }
  if (!safe) return false;
  // Only if it still holds what was looked at.
  code = git_reference_delete(reference.get());
  if (code != 0) return git2::FailureOf(code, "forget the branch " + branch);
  return true;
}

Result<void> Mirror::SetBranch(const std::string& branch, const CommitSha& target,
                               const CommitSha* expected) {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(git_dir_));
  SWAGE_ASSIGN_OR_RETURN(const auto commit, git2::FindCommit(repository.get(), target));
  git_oid old;
  if (expected != nullptr && git_oid_fromstr(&old, expected->value.c_str()) != 0) {
    return MakeError(ErrorCode::kInvalid, "a malformed commit name");
  }
  const std::string ref = "refs/heads/" + branch;
  const auto set = [&] {
    git_reference* raw = nullptr;
    const int set_code = git_reference_create_matching(
        &raw, repository.get(), ref.c_str(), git_commit_id(commit.get()), 1,
        expected != nullptr ? &old : nullptr, nullptr);
    const git2::Reference reference(raw);
    return set_code;
  };
  int code = set();
  for (int i = 0; code == GIT_ELOCKED && i < kBranchLockTries; ++i) {
    std::this_thread::sleep_for(kLockPause);
    code = set();
  }
  if (code == GIT_ELOCKED) {
    std::error_code ignored;
    fs::remove(git_dir_ / (ref + ".lock"), ignored);
    code = set();
  }
  if (code != 0) return git2::FailureOf(code, "branch " + branch);
  return Ok();
}

}  // namespace swage
