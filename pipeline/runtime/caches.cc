#include "pipeline/runtime/caches.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "pipeline/runtime/copy_tree.h"
#include "pipeline/workspace/file_ownership.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kHalf = ".new-";
constexpr unsigned kOpenMode = 0755;  // for readers that are not the bot's user
constexpr int kFindTries = 5;         // the newest may become the last but one meanwhile
constexpr std::size_t kMaxGenerations = 10'000;

// Nothing when another holds it.
std::optional<Fd> TakeLock(const fs::path& file, int how) {
  Fd fd(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid() || flock(fd.get(), how | LOCK_NB) != 0) return std::nullopt;
  return fd;
}

fs::path LockOf(const fs::path& generation) {
  return generation.string() + ".lock";
}

// Its readers share the lock; whoever removes it is alone.
std::optional<Fd> LockGeneration(const fs::path& generation, int how) {
  return TakeLock(LockOf(generation), how);
}

std::vector<std::string> NamesIn(const fs::path& dir) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (auto it = fs::directory_iterator(dir, ignored);
       it != fs::directory_iterator() && names.size() < kMaxGenerations; it.increment(ignored)) {
    names.push_back(it->path().filename().string());
  }
  return names;
}

// Their names are numbers of equal length, for some centuries.
std::optional<std::string> Newest(const fs::path& store) {
  std::optional<std::string> newest;
  for (std::string& name : NamesIn(store)) {
    if (IsCacheGeneration(name) && (!newest || name > *newest)) newest = std::move(name);
  }
  return newest;
}

struct Generation {
  fs::path folder;
  std::chrono::milliseconds age{0};
  Fd in_use;
};

std::optional<Generation> HoldNewest(const fs::path& store) {
  for (int i = 0; i < kFindTries; ++i) {
    const auto name = Newest(store);
    if (!name) return std::nullopt;
    auto lock = LockGeneration(store / *name, LOCK_SH);
    std::error_code ignored;
    if (!lock || !fs::is_directory(store / *name, ignored)) continue;
    const WallTime made{std::chrono::microseconds(ParseInt(*name).value_or(0))};
    return Generation{
        store / *name,
        std::chrono::duration_cast<std::chrono::milliseconds>(SystemClock().Now() - made),
        *std::move(lock)};
  }
  return std::nullopt;
}

Result<void> MakeOwn(const fs::path& folder, const std::optional<FileOwner>& owner) {
  SWAGE_RETURN_IF_ERROR(RemoveTree(folder));
  SWAGE_RETURN_IF_ERROR(MakeDirs(folder));
  return GiveEntry(folder, owner);
}

Result<int> RemoveOldOf(const fs::path& store) {
  // Who fills it may be about to name its newest one.
  const auto alone = TakeLock(store / "warm.lock", LOCK_EX);
  if (!alone) return 0;
  const auto newest = Newest(store);
  int removed = 0;
  for (const std::string& name : NamesIn(store)) {
    const bool half = name.find(kHalf) != std::string::npos;
    if (half) {
      SWAGE_RETURN_IF_ERROR(RemoveTree(store / name));
      ++removed;
    } else if (IsCacheGeneration(name) && name != newest) {
      SWAGE_ASSIGN_OR_RETURN(const bool gone, RemoveGeneration(store / name));
      removed += gone ? 1 : 0;
    }
  }
  return removed;
}

}  // namespace

bool IsCacheGeneration(std::string_view name) {
  return !name.empty() && name.find_first_not_of("0123456789") == name.npos;
}

bool IsGenerationInUse(const fs::path& generation) {
  return !LockGeneration(generation, LOCK_EX).has_value();
}

Result<bool> RemoveGeneration(const fs::path& generation) {
  const auto alone = LockGeneration(generation, LOCK_EX);
  if (!alone) return false;
  SWAGE_RETURN_IF_ERROR(RemoveTree(generation));
  std::error_code ignored;
  fs::remove(LockOf(generation), ignored);
  return true;
}

Result<TaskCache> Caches::Give(const CacheRequest& request, std::string& warning) const {
  const CacheSettings& settings = request.settings;
  TaskCache cache;
  cache.settings = &settings;
  fs::path source = settings.path;
  if (source.empty()) {
    const std::string repo = fmt::format("{}-{}", request.repo.forge, request.repo.id);
    cache.store = dir_ / repo / settings.name;
    SWAGE_RETURN_IF_ERROR(MakeDirs(cache.store, kOpenMode));
    auto newest = HoldNewest(cache.store);
    cache.is_due = !newest || newest->age >= settings.refresh;
    if (newest) {
      source = newest->folder;
      cache.in_use = std::move(newest->in_use);
    }
  }
  // One that is due is filled in a folder of the task's own.
  if (settings.mode == "shared" && request.may_share && !source.empty() && !cache.is_due) {
    cache.folder = source;
    cache.shared = true;
    return cache;
  }
  cache.folder = request.own;
  SWAGE_RETURN_IF_ERROR(MakeOwn(cache.folder, request.owner));
  if (source.empty()) return cache;
  const auto copied = CopyTree(source, cache.folder, {.bytes = settings.limit}, request.owner);
  cache.in_use = Fd();
  if (copied.ok()) return cache;
  warning = fmt::format("the cache {} was left out: {}", settings.name, copied.error().message);
  SWAGE_RETURN_IF_ERROR(MakeOwn(cache.folder, request.owner));
  return cache;
}

std::optional<Fd> Caches::TryWarm(const TaskCache& cache) const {
  if (!cache.is_due) return std::nullopt;
  auto alone = TakeLock(cache.store / "warm.lock", LOCK_EX);
  return alone;
}

Result<void> Caches::Keep(const TaskCache& cache) const {
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(SystemClock().Now().time_since_epoch());
  const fs::path made = cache.store / std::to_string(micros.count());
  const fs::path half = made.string() + std::string(kHalf) + RandomHex(4);
  SWAGE_RETURN_IF_ERROR(MakeDirs(half, kOpenMode));
  auto done = CopyTree(cache.folder, half, {.bytes = cache.settings->limit}, std::nullopt);
  std::error_code error;
  if (done.ok()) fs::rename(half, made, error);
  if (done.ok() && !error) return Ok();
  (void)RemoveTree(half).ok();
  if (!done.ok()) return done.error().With(fmt::format("keep the cache {}", cache.settings->name));
  return MakeError(ErrorCode::kInternal,
                   fmt::format("keep the cache {}: {}", cache.settings->name, error.message()));
}

Result<int> Caches::RemoveOld() const {
  int removed = 0;
  for (const std::string& repo : NamesIn(dir_)) {
    for (const std::string& name : NamesIn(dir_ / repo)) {
      SWAGE_ASSIGN_OR_RETURN(const int some, RemoveOldOf(dir_ / repo / name));
      removed += some;
    }
  }
  return removed;
}

}  // namespace swage
