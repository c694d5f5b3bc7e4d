// Recycled worktrees: a released one is scrubbed and lies ready for the next task.
//
// What tells a changed file from an unchanged one is its stat data, against an index that only the
// bot can write: whoever changes a file changes its ctime. What the index does not know (modes
// beyond the executable bit, extended attributes, second names of a file by which somebody could
// change it later) is looked at here, file by file; a file with any of it is written anew.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <system_error>

#include "config/base/clock.h"
#include "config/base/crypto.h"
#include "config/base/directory_stream.h"
#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/plain_tree.h"
#include "pipeline/workspace/trusted_git_dir.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

constexpr int kMaxDepth = 128;  // each level holds a descriptor
constexpr mode_t kRootMode = 0700;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

mode_t Umask() {
  const mode_t mask = umask(0);
  umask(mask);
  return mask;
}

// Beyond what a security module puts on every file.
std::vector<std::string> AttributesOf(int fd) {
  char names[4096];
  const ssize_t size = flistxattr(fd, names, sizeof names);
  std::vector<std::string> attributes;
  if (size < 0 && errno == ENOTSUP) return attributes;
  if (size < 0) return {""};  // more than anybody has reason to set
  for (const std::string_view name : Split({names, static_cast<std::size_t>(size)}, '\0')) {
    if (!name.empty() && name != "security.selinux") attributes.emplace_back(name);
  }
  return attributes;
}

// Leaves nothing but what git tells apart by its index: see above. Whatever cannot be scrubbed is
// an error, and its tree is thrown away.
class Scrubber {
 public:
  Scrubber(uid_t owner, mode_t mask) : owner_(owner), mask_(mask) {}

  Result<void> Visit(Fd fd, int depth) const {
    if (depth > kMaxDepth) return MakeError(ErrorCode::kTooLarge, "directories too deep");
    for (const std::string& name : AttributesOf(fd.get())) {
      if (fremovexattr(fd.get(), name.c_str()) != 0) return Failure();
    }
    const DirectoryStream dir(fdopendir(fd.get()));
    if (dir == nullptr) return Failure();
    const int at = fd.Release();  // the stream closes it
    while (const dirent* entry = readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") SWAGE_RETURN_IF_ERROR(Scrub(at, entry->d_name, depth));
    }
    return Ok();
  }

 private:
  static Error Failure() {
    return MakeError(ErrorCode::kInternal,
                     "scrub: " + std::error_code(errno, std::generic_category()).message());
  }

  Result<void> Scrub(int at, const char* name, int depth) const {
    struct stat info {};
    if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return Failure();
    if (S_ISLNK(info.st_mode)) return Ok();  // its text is all there is to it
    if (S_ISDIR(info.st_mode)) return Descend(at, name, info, depth);
    if (S_ISREG(info.st_mode) && IsClean(at, name, info)) return Ok();
    return unlinkat(at, name, 0) == 0 ? Ok() : Result<void>(Failure());
  }

  bool IsClean(int at, const char* name, const struct stat& info) const {
    const mode_t mode = info.st_mode & 07777;
    if (info.st_nlink != 1 || info.st_uid != owner_) return false;
    if (mode != (0666 & ~mask_) && mode != (0777 & ~mask_)) return false;
    const Fd file(openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    return file.valid() && AttributesOf(file.get()).empty();
  }

  Result<void> Descend(int at, const char* name, const struct stat& info, int depth) const {
    const mode_t wanted = 0777 & ~mask_;
    if ((info.st_mode & 07777) != wanted && fchmodat(at, name, wanted, 0) != 0) return Failure();
    Fd child(openat(at, name, kOpenDirectory));
    if (!child.valid()) return Failure();
    if (info.st_uid != owner_) {
      return MakeError(ErrorCode::kConflict, "a directory is somebody else's");
    }
    return Visit(std::move(child), depth + 1);
  }

  const uid_t owner_;
  const mode_t mask_;
};

// A tree at rest: its files, and the index that knows their stat data.
struct Resting {
  fs::path place;  // holds work and index
  MonotonicTime since;
  std::uint64_t bytes;  // of the files that git knows
};

// Which trees can stand for each other.
struct PoolKey {
  std::string mirror;
  uid_t uid;
  gid_t gid;
  auto operator<=>(const PoolKey&) const = default;
};

PoolKey KeyOf(const TreePlan& plan) {
  const FileOwner owner = plan.owner.value_or(FileOwner{geteuid(), getegid()});
  return {plan.mirror.GitDir(), owner.uid, owner.gid};
}

// The trees at rest. Shared with those in use, which come back to it. Thread-safe.
class Pool {
 public:
  Pool(fs::path dir, const KeptTrees& limits) : dir_(std::move(dir)), limits_(limits) {}

  std::optional<fs::path> Take(const PoolKey& key) {
    const std::lock_guard lock(mutex_);
    auto& resting = StillThere(key);
    if (resting.empty()) return std::nullopt;
    fs::path place = std::move(resting.back().place);
    resting.pop_back();
    return place;
  }

  bool HasRoom(const PoolKey& key) {
    const std::lock_guard lock(mutex_);
    return StillThere(key).size() < static_cast<std::size_t>(limits_.per_repository);
  }

  Result<void> Put(const PoolKey& key, const fs::path& tree, std::uint64_t bytes) {
    SWAGE_RETURN_IF_ERROR(MakeDirs(dir_));
    const std::lock_guard lock(mutex_);
    const fs::path place = dir_ / RandomHex(8);
    SWAGE_RETURN_IF_ERROR(Move(tree, place));
    resting_[key].push_back({place, SystemClock().Monotonic(), bytes});
    return Ok();
  }

  /// Removes what has rested too long or weighs too much, oldest first, and what no tree of this
  /// process left.
  Result<void> Tidy() {
    Result<void> outcome;
    for (const fs::path& place : Outdated()) {
      if (auto gone = RemoveTree(place); !gone.ok()) outcome = gone;
    }
    return outcome;
  }

  static Result<void> Move(const fs::path& from, const fs::path& to) {
    if (rename(from.c_str(), to.c_str()) == 0) return Ok();
    return MakeError(ErrorCode::kInternal,
                     fmt::format("move {}: {}", from.string(),
                                 std::error_code(errno, std::generic_category()).message()));
  }

 private:
  // Whoever makes room on the disk takes trees away without asking.
  std::vector<Resting>& StillThere(const PoolKey& key) {
    std::vector<Resting>& resting = resting_[key];
    std::error_code ignored;
    std::erase_if(resting, [&](const Resting& tree) { return !fs::exists(tree.place, ignored); });
    return resting;
  }

  // Since when all that came to rest may be kept together.
  MonotonicTime Affordable() const {
    std::vector<Resting> newest_first;
    for (const auto& [key, resting] : resting_) {
      newest_first.insert(newest_first.end(), resting.begin(), resting.end());
    }
    std::ranges::sort(newest_first, std::greater(), &Resting::since);
    MonotonicTime since = SystemClock().Monotonic();
    std::uint64_t bytes = 0;
    for (const Resting& tree : newest_first) {
      bytes += tree.bytes;
      if (bytes > limits_.bytes) return since;
      since = tree.since;
    }
    return MonotonicTime::min();
  }

  std::vector<fs::path> Outdated() {
    const std::lock_guard lock(mutex_);
    const MonotonicTime oldest = std::max(SystemClock().Monotonic() - limits_.unused, Affordable());
    std::set<fs::path> kept;
    for (auto& [key, resting] : resting_) {
      std::erase_if(resting, [&](const Resting& tree) { return tree.since < oldest; });
      for (const Resting& tree : resting) kept.insert(tree.place);
    }
    std::vector<fs::path> places = EntriesOf(dir_);
    std::erase_if(places, [&](const fs::path& place) { return kept.contains(place); });
    return places;
  }

  const fs::path dir_;
  const KeptTrees limits_;
  std::mutex mutex_;
  std::map<PoolKey, std::vector<Resting>> resting_;
};

class RecycledTree final : public PlainTree {
 public:
  RecycledTree(TreePlan plan, std::shared_ptr<Pool> pool)
      : PlainTree(std::move(plan)), pool_(std::move(pool)) {}

  /// A tree at rest, moved to where this one starts. False: there is none that could be used.
  bool Reuse(const std::stop_token& stop) {
    const auto place = pool_->Take(KeyOf(Plan()));
    if (!place) return false;
    const bool reused = Pool::Move(*place / "work", Plan().Root()).ok() &&
                        Pool::Move(*place / "index", Plan().Index()).ok() && Fill(stop).ok();
    (void)RemoveTree(*place).ok();
    if (reused) return true;
    (void)RemoveTree(Plan().Root()).ok();
    (void)RemoveTree(Plan().Index()).ok();
    return false;
  }

  Result<void> Release() override {
    if (!released_ && pool_->HasRoom(KeyOf(Plan()))) (void)PutToRest().ok();
    released_ = true;
    return PlainTree::Release();
  }

 private:
  // An ignored file is the former task's, too.
  Result<void> PutToRest() {
    const fs::path root = Plan().Root();
    SWAGE_ASSIGN_OR_RETURN(const std::uint64_t bytes, Weigh());
    Fd dir(open(root.c_str(), kOpenDirectory));
    if (!dir.valid() || fchmod(dir.get(), kRootMode) != 0) {
      return MakeError(ErrorCode::kInternal, "the files are gone");
    }
    SWAGE_RETURN_IF_ERROR(RemoveTree(root / ".git"));
    SWAGE_RETURN_IF_ERROR(Scrubber(KeyOf(Plan()).uid, Umask()).Visit(std::move(dir), 0));
    std::vector<std::string> repairs;
    SWAGE_RETURN_IF_ERROR(GuardTree(Plan().admin, HeadOnBranch(Plan().branch), repairs));
    SWAGE_RETURN_IF_ERROR(RunGit({"read-tree", "--reset", "-u", Plan().base.value}));
    SWAGE_RETURN_IF_ERROR(RunGit({"clean", "--quiet", "-ffdx"}));
    const fs::path rest = Plan().place / "rest";
    SWAGE_RETURN_IF_ERROR(MakeDirs(rest));
    SWAGE_RETURN_IF_ERROR(Pool::Move(root, rest / "work"));
    SWAGE_RETURN_IF_ERROR(Pool::Move(Plan().Index(), rest / "index"));
    return pool_->Put(KeyOf(Plan()), rest, bytes);
  }

  // Of the files that git knows. What lies in the directory of a submodule is no business of
  // git's: it would stay, so there may be none.
  Result<std::uint64_t> Weigh() const {
    SWAGE_ASSIGN_OR_RETURN(const git2::Index index, git2::OpenIndex(Plan().Index()));
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < git_index_entrycount(index.get()); ++i) {
      const git_index_entry* entry = git_index_get_byindex(index.get(), i);
      if (entry->mode == GIT_FILEMODE_COMMIT) {
        return MakeError(ErrorCode::kConflict, "a repository with submodules is not recycled");
      }
      bytes += entry->file_size;
    }
    return bytes;
  }

  Result<void> RunGit(std::vector<std::string> arguments) const {
    const auto ran = Plan().git.Run(Plan().Call(std::move(arguments)));
    return ran.ok() ? Ok() : Result<void>(ran.error());
  }

  const std::shared_ptr<Pool> pool_;
  bool released_ = false;
};

class RecycledProvisioner final : public Provisioner {
 public:
  RecycledProvisioner(fs::path dir, const KeptTrees& limits)
      : pool_(std::make_shared<Pool>(std::move(dir), limits)) {}

  Result<std::unique_ptr<WorkTree>> Provide(const TreePlan& plan, std::stop_token stop) override {
    auto tree = std::make_unique<RecycledTree>(plan, pool_);
    if (!tree->Reuse(stop)) {
      SWAGE_RETURN_IF_ERROR(MakeDirs(plan.Root()));
      SWAGE_RETURN_IF_ERROR(tree->Fill(std::move(stop)));
    }
    return std::unique_ptr<WorkTree>(std::move(tree));
  }

  Result<void> Tidy() override { return pool_->Tidy(); }

 private:
  const std::shared_ptr<Pool> pool_;
};

}  // namespace

std::unique_ptr<Provisioner> MakeRecycledProvisioner(fs::path pool, const KeptTrees& limits) {
  return std::make_unique<RecycledProvisioner>(std::move(pool), limits);
}

}  // namespace swage
