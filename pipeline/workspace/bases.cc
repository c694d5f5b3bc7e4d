#include "pipeline/workspace/bases.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <system_error>
#include <vector>

#include "config/base/clock.h"
#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/workspace/file_ownership.h"
#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/plain_tree.h"
#include "pipeline/workspace/private_git_dir.h"
#include "pipeline/workspace/trusted_git_dir.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::milliseconds kPause{20};
constexpr std::chrono::minutes kWaitLimit{35};  // for another thread's checkout
// So few files may be read again by every status.
constexpr std::size_t kFewFiles = 500;

Error Failure(std::string_view act, const fs::path& path) {
  return MakeError(ErrorCode::kInternal,
                   fmt::format("{} {}: {}", act, path.string(),
                               std::error_code(errno, std::generic_category()).message()));
}

Result<Fd> OpenLock(const fs::path& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return Failure("open", path);
  return fd;
}

// One at a time decides what becomes of a repository's bases; that takes no time.
Result<Fd> TakeTurn(const fs::path& repository) {
  SWAGE_ASSIGN_OR_RETURN(Fd fd, OpenLock(repository / "lock"));
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return Failure("lock", repository);
  }
  return fd;
}

bool Pause(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any nothing;
  std::unique_lock hold(mutex);
  nothing.wait_for(hold, stop, time, [] { return false; });
  return !stop.stop_requested();
}

// What a base was made in: this start of the machine, and this directory, which files name.
std::string EpochOf(const fs::path& dir) {
  const auto id = ReadFile("/proc/sys/kernel/random/boot_id");
  return fmt::format("{}:{}", id.ok() ? Trim(*id) : "unknown", Sha256Hex(dir.string()));
}

struct Weight {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};
Result<Weight> Weigh(const fs::path& index_file) {
  SWAGE_ASSIGN_OR_RETURN(const git2::Index index, git2::OpenIndex(index_file));
  Weight weight{git_index_entrycount(index.get()), 0};
  for (std::size_t i = 0; i < weight.files; ++i) {
    weight.bytes += git_index_get_byindex(index.get(), i)->file_size;
  }
  return weight;
}

// git reads every file again whose second of change is that of the index, or later. The base does
// not change any more: once the second is over, the index may say so. The kernel dates files by a
// clock of its own that lags behind the precise one by a tick: what counts is what it has written.
Result<void> Settle(const fs::path& index, const std::stop_token& stop) {
  struct stat written {};
  if (stat(index.c_str(), &written) != 0) return Failure("examine", index);
  for (struct stat now = written; now.st_mtim.tv_sec <= written.st_mtim.tv_sec;) {
    if (!Pause(kPause, stop)) return MakeError(ErrorCode::kCancelled, "stopped");
    if (utimensat(AT_FDCWD, index.c_str(), nullptr, 0) != 0) return Failure("date", index);
    if (stat(index.c_str(), &now) != 0) return Failure("examine", index);
  }
  return Ok();
}

fs::path AdminOf(const fs::path& base) {
  return base / "git";
}

FileOwner OwnerOf(const TreePlan& plan) {
  return plan.owner.value_or(FileOwner{geteuid(), getegid()});
}

}  // namespace

// What a base is, or is becoming: a line of text.
struct Bases::State {
  bool ready = false;
  CommitSha commit;
  FileOwner owner;
  std::string epoch;
  std::uint64_t bytes = 0;

  std::string Text() const {
    return fmt::format("{} {} {} {} {} {}\n", ready ? "ready" : "making", commit.value, owner.uid,
                       owner.gid, epoch, bytes);
  }
  static std::optional<State> Parse(std::string_view text) {
    const auto words = Split(Trim(text), ' ');
    if (words.size() != 6) return std::nullopt;
    const auto uid = ParseInt(words[2]), gid = ParseInt(words[3]), bytes = ParseInt(words[5]);
    if (!uid || !gid || !bytes || *bytes < 0) return std::nullopt;
    State state;
    state.ready = words[0] == "ready";
    state.commit = CommitSha{std::string(words[1])};
    state.owner = {static_cast<uid_t>(*uid), static_cast<gid_t>(*gid)};
    state.epoch = words[4];
    state.bytes = static_cast<std::uint64_t>(*bytes);
    return state;
  }
  static std::optional<State> Read(const fs::path& base) {
    const auto text = ReadFile(base / "state");
    return text.ok() ? Parse(*text) : std::nullopt;
  }
  bool Fits(const CommitSha& wanted, const TreePlan& plan) const {
    const FileOwner whose = OwnerOf(plan);
    return commit == wanted && owner.uid == whose.uid && owner.gid == whose.gid;
  }
};

struct Bases::Found {
  fs::path base;
  std::optional<State> state;
  fs::file_time_type used;
  bool usable;  // ready, and of this epoch
};

Bases::Bases(fs::path dir, const KeptTrees& limits)
    : dir_(std::move(dir)), limits_(limits), epoch_(EpochOf(dir_)) {}

fs::path Bases::RepositoryOf(const Mirror& mirror) const {
  return dir_ / mirror.GitDir().stem();
}

// The one used last comes first.
std::vector<Bases::Found> Bases::List(const fs::path& repository) const {
  std::vector<Found> found;
  std::error_code ignored;
  for (const fs::path& base : EntriesOf(repository)) {
    if (!fs::is_directory(base, ignored)) continue;
    auto state = State::Read(base);
    const bool usable = state && state->ready && state->epoch == epoch_;
    found.push_back({base, std::move(state), fs::last_write_time(base / "lock", ignored), usable});
  }
  std::ranges::sort(found, std::greater<>(), &Found::used);
  return found;
}

Result<std::optional<BaseUse>> Bases::FindReady(const TreePlan& plan,
                                                const CommitSha& commit) const {
  for (const Found& found : List(RepositoryOf(plan.mirror))) {
    if (!found.usable || !found.state->Fits(commit, plan)) continue;
    auto lock = OpenLock(found.base / "lock");
    // Taken: it is on its way to another commit.
    if (!lock.ok() || flock(lock->get(), LOCK_SH | LOCK_NB) != 0) continue;
    const auto state = State::Read(found.base);
    if (!state || !state->ready || !state->Fits(commit, plan)) continue;
    futimens(lock->get(), nullptr);  // when it was used last
    return std::optional(BaseUse{found.base / "work", AdminOf(found.base) / "index", commit,
                                 std::move(lock).value()});
  }
  return std::optional<BaseUse>();
}

namespace {

// Whether moving from one to the other is a step forward on the same line of work.
bool IsLater(const Mirror& mirror, const CommitSha& commit, const CommitSha& than) {
  const auto common = mirror.FindMergeBase(commit, than);
  return common.ok() && common->has_value() && **common == than;
}

// True: nobody uses it, and nobody will until the lock is given back.
bool LockAlone(const fs::path& base, Fd& lock) {
  auto opened = OpenLock(base / "lock");
  if (!opened.ok() || flock(opened->get(), LOCK_EX | LOCK_NB) != 0) return false;
  lock = std::move(opened).value();
  return true;
}

}  // namespace

// The turn is held. Broken ones first, then one that lags behind, then, when there are enough, the
// one that was not used for longest; otherwise a new one. Nothing and no lock: wait.
Result<Fd> Bases::TakeIdle(const TreePlan& plan, fs::path& base) const {
  const fs::path repository = RepositoryOf(plan.mirror);
  std::vector<Found> all = List(repository);
  Fd lock;
  for (const Found& found : all) {
    const bool making = found.state && !found.state->ready && found.state->Fits(plan.base, plan);
    if (found.usable) continue;
    if (!LockAlone(found.base, lock)) {
      if (making) return Fd();
      continue;
    }
    SWAGE_RETURN_IF_ERROR(RemoveTree(found.base / "work"));
    SWAGE_RETURN_IF_ERROR(RemoveTree(AdminOf(found.base)));
    base = found.base;
    return lock;
  }
  const FileOwner owner = OwnerOf(plan);
  const auto movable = [&](const Found& found) {
    return found.usable && found.state->owner.uid == owner.uid &&
           found.state->owner.gid == owner.gid;
  };
  const bool enough = all.size() >= static_cast<std::size_t>(limits_.per_repository);
  std::ranges::reverse(all);
  for (const bool any : {false, true}) {
    if (any && !enough) break;
    for (const Found& found : all) {
      if (!movable(found)) continue;
      if (!any && !IsLater(plan.mirror, plan.base, found.state->commit)) continue;
      if (!LockAlone(found.base, lock)) continue;
      base = found.base;
      return lock;
    }
  }
  base = repository / RandomHex(4);
  SWAGE_RETURN_IF_ERROR(MakeDirs(base));
  if (!LockAlone(base, lock)) return Failure("lock", base);
  return lock;
}

Result<void> Bases::Build(const TreePlan& plan, const fs::path& base,
                          const std::stop_token& stop) const {
  TreePlan own = plan;
  own.place = base;
  own.admin = AdminOf(base);
  own.start = plan.base;
  SWAGE_RETURN_IF_ERROR(
      RegisterTree(own.admin, own.Root(), DetachedHead(own.start), plan.mirror.GitDir().string()));
  SWAGE_RETURN_IF_ERROR(MakeDirs(own.Root()));
  SWAGE_RETURN_IF_ERROR(PlainTree(own).Checkout(stop));
  SWAGE_ASSIGN_OR_RETURN(const Weight weight, Weigh(own.Index()));
  if (weight.files > kFewFiles) SWAGE_RETURN_IF_ERROR(Settle(own.Index(), stop));
  SWAGE_RETURN_IF_ERROR(
      WriteSharedGitDir(own.Root(), plan.mirror.GitDir() / "objects", own.Index()));
  SWAGE_RETURN_IF_ERROR(GiveTree(own.Root() / ".git", plan.owner));
  const State ready{true, plan.base, OwnerOf(plan), epoch_, weight.bytes};
  return WriteFileFast(base / "state", ready.Text());
}

Result<BaseUse> Bases::Use(const TreePlan& plan, std::stop_token stop) {
  const fs::path repository = RepositoryOf(plan.mirror);
  SWAGE_RETURN_IF_ERROR(MakeDirs(repository));
  const SystemClock clock;
  const MonotonicTime give_up = clock.Monotonic() + kWaitLimit;
  while (clock.Monotonic() < give_up) {
    fs::path base;
    Fd alone;
    {
      SWAGE_ASSIGN_OR_RETURN(const Fd turn, TakeTurn(repository));
      for (const CommitSha& commit : {plan.start, plan.base}) {
        SWAGE_ASSIGN_OR_RETURN(auto ready, FindReady(plan, commit));
        if (ready) return *std::move(ready);
      }
      SWAGE_ASSIGN_OR_RETURN(alone, TakeIdle(plan, base));
      if (alone.valid()) {
        const State making{false, plan.base, OwnerOf(plan), epoch_, 0};
        SWAGE_RETURN_IF_ERROR(WriteFileFast(base / "state", making.Text()));
      }
    }
    if (alone.valid()) SWAGE_RETURN_IF_ERROR(Build(plan, base, stop));
    // Given back first: whoever comes in between finds it ready, and uses it, too.
    alone.Close();
    if (base.empty() && !Pause(kPause, stop)) {
      return MakeError(ErrorCode::kCancelled, "stopped waiting for a base checkout");
    }
  }
  return MakeError(ErrorCode::kTimeout, "a base checkout is being made and does not get ready");
}

Result<std::vector<fs::path>> Bases::ListIdle() const {
  std::vector<Found> all;
  for (const fs::path& repository : EntriesOf(dir_)) {
    if (repository.filename().string().starts_with('.')) continue;
    SWAGE_ASSIGN_OR_RETURN(const Fd turn, TakeTurn(repository));
    for (Found& found : List(repository)) {
      Fd lock;
      if (LockAlone(found.base, lock)) all.push_back(std::move(found));
    }
  }
  std::ranges::sort(all, std::less<>(), &Found::used);
  std::vector<fs::path> idle;
  for (const Found& found : all) idle.push_back(found.base);
  return idle;
}

Result<bool> Bases::RemoveIdle(const fs::path& base) const {
  const fs::path repository = base.parent_path();
  const fs::path gone = dir_ / (".gone-" + RandomHex(4));
  {
    SWAGE_ASSIGN_OR_RETURN(const Fd turn, TakeTurn(repository));
    Fd lock;
    if (!LockAlone(base, lock)) return false;
    if (rename(base.c_str(), gone.c_str()) != 0) return Failure("remove", base);
  }
  SWAGE_RETURN_IF_ERROR(RemoveTree(gone));
  return true;
}

Result<void> Bases::Evict() {
  std::vector<Found> all;
  for (const fs::path& repository : EntriesOf(dir_)) {
    if (repository.filename().string().starts_with('.')) {  // of somebody who was killed
      SWAGE_RETURN_IF_ERROR(RemoveTree(repository));
      continue;
    }
    for (Found& found : List(repository)) all.push_back(std::move(found));
  }
  std::ranges::sort(all, std::greater<>(), &Found::used);
  const auto oldest = fs::file_time_type::clock::from_sys(SystemClock().Now()) - limits_.unused;
  std::uint64_t bytes = 0;
  std::map<fs::path, int> kept;
  for (const Found& found : all) {
    const std::uint64_t size = found.state ? found.state->bytes : 0;
    int& of_repository = kept[found.base.parent_path()];
    if (found.usable && found.used >= oldest && bytes + size <= limits_.bytes &&
        of_repository < limits_.per_repository) {
      bytes += size;
      ++of_repository;
      continue;
    }
    SWAGE_RETURN_IF_ERROR(RemoveIdle(found.base));
  }
  return Ok();
}

}  // namespace swage
