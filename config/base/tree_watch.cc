#include "config/base/tree_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>

#include "config/base/clock.h"
#include "config/base/files.h"
#include "config/base/text.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kProcessInterval{200};
constexpr milliseconds kDiskInterval{1'000};
// A count may take this share of the time between two.
constexpr int kCostDivisor = 10;
// The file system grew, though not by as much as is left: something else may have shrunk meanwhile.
constexpr milliseconds kDiskIntervalAtMost{10'000};
constexpr std::size_t kMaxOpenFilesCounted = 100'000;
constexpr int kMaxDepth = 256;         // each level holds a descriptor
constexpr std::uint64_t kBlock = 512;  // of st_blocks, whatever the file system's are

class Directory {
 public:
  explicit Directory(Fd fd) : dir_(fd.valid() ? fdopendir(fd.get()) : nullptr) {
    if (dir_ != nullptr) fd.Release();
  }
  explicit Directory(const std::string& path) : dir_(opendir(path.c_str())) {}
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    if (dir_ != nullptr) closedir(dir_);
  }
  // Without "." and ".."; nullptr at the end.
  const char* Next() {
    while (const dirent* entry = dir_ == nullptr ? nullptr : readdir(dir_)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") return entry->d_name;
    }
    return nullptr;
  }
  int fd() const { return dir_ == nullptr ? -1 : dirfd(dir_); }

 private:
  DIR* dir_;
};

// What the kernel says of one process; nothing of one that is gone.
std::string ReadProc(const std::string& file) {
  const auto text = ReadFile(file);
  return text.ok() ? *text : "";
}

void AppendChildren(pid_t parent, std::vector<pid_t>& pids) {
  const std::string tasks = fmt::format("/proc/{}/task", parent);
  Directory threads(tasks);
  while (const char* thread = threads.Next()) {
    const std::string children = ReadProc(fmt::format("{}/{}/children", tasks, thread));
    for (const std::string_view word : Split(children, ' ')) {
      const auto pid = ParseInt(word);
      if (pid && pids.size() < kMaxTreeProcesses) pids.push_back(static_cast<pid_t>(*pid));
    }
  }
}

// "Pss:     1234 kB" of smaps_rollup, by its name.
std::optional<std::uint64_t> RolledUp(std::string_view rollup, std::string_view name) {
  for (std::string_view line : SplitLines(rollup)) {
    if (!line.starts_with(name)) continue;
    line = Trim(line.substr(name.size()));
    if (line.ends_with(" kB")) line.remove_suffix(3);
    if (const auto kib = ParseInt(line)) return static_cast<std::uint64_t>(*kib) << 10;
  }
  return std::nullopt;
}

// What a process has its share of; of files in memory apart, which it may hold open, too.
struct Shares {
  std::uint64_t all = 0;
  std::uint64_t files_in_memory = 0;
};

// Nothing where we may not look.
std::optional<Shares> SharesOf(pid_t pid) {
  const std::string text = ReadProc(fmt::format("/proc/{}/smaps_rollup", pid));
  const auto all = RolledUp(text, "Pss:");
  if (!all) return std::nullopt;
  return Shares{*all, std::min(*all, RolledUp(text, "Pss_Shmem:").value_or(0))};
}

std::uint64_t ResidentBytes(pid_t pid) {
  const std::string text = ReadProc(fmt::format("/proc/{}/statm", pid));
  const auto fields = Split(text, ' ');
  const auto pages = fields.size() > 1 ? ParseInt(fields[1]) : std::nullopt;
  return static_cast<std::uint64_t>(pages.value_or(0)) *
         static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

enum class Lies { kAnywhere, kInMemory };

bool IsInMemory(const std::string& path) {
  struct statfs info {};
  return statfs(path.c_str(), &info) == 0 && info.f_type == TMPFS_MAGIC;
}

// What processes hold open that has no name (any more).
std::uint64_t NamelessFilesOf(const std::vector<pid_t>& pids, Lies where) {
  std::set<std::pair<dev_t, ino_t>> seen;
  std::uint64_t bytes = 0;
  std::size_t looked = 0;
  for (const pid_t pid : pids) {
    const std::string folder = fmt::format("/proc/{}/fd", pid);
    Directory fds(folder);
    while (const char* name = looked < kMaxOpenFilesCounted ? fds.Next() : nullptr) {
      ++looked;
      struct stat info {};
      if (fstatat(fds.fd(), name, &info, 0) != 0 || !S_ISREG(info.st_mode)) continue;
      if (info.st_nlink != 0 || seen.contains({info.st_dev, info.st_ino})) continue;
      if (where == Lies::kInMemory && !IsInMemory(fmt::format("{}/{}", folder, name))) continue;
      seen.emplace(info.st_dev, info.st_ino);
      bytes += static_cast<std::uint64_t>(info.st_blocks) * kBlock;
    }
  }
  return bytes;
}

class DiskCount {
 public:
  DiskCount(std::uint64_t enough, std::stop_token stop) : enough_(enough), stop_(std::move(stop)) {}
  std::uint64_t bytes() const { return bytes_; }
  void Add(const std::string& root) {
    struct stat info {};
    if (lstat(root.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return;
    device_ = info.st_dev;
    Walk(Fd(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)), 0);
  }

 private:
  bool Done() const {
    return bytes_ > enough_ || files_ >= kMaxCountedFiles || stop_.stop_requested();
  }

  // NOLINTNEXTLINE(misc-no-recursion): bounded by kMaxDepth
  void Walk(Fd fd, int depth) {
    Directory dir(std::move(fd));
    while (const char* name = Done() ? nullptr : dir.Next()) {
      struct stat info {};
      if (fstatat(dir.fd(), name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (info.st_dev != device_) continue;
      ++files_;
      const bool again =
          info.st_nlink > 1 && !S_ISDIR(info.st_mode) && !linked_.insert(info.st_ino).second;
      if (!again) bytes_ += static_cast<std::uint64_t>(info.st_blocks) * kBlock;
      if (!S_ISDIR(info.st_mode) || depth == kMaxDepth) continue;
      constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
      Walk(Fd(openat(dir.fd(), name, kFlags)), depth + 1);
    }
  }

  const std::uint64_t enough_;
  const std::stop_token stop_;
  std::uint64_t bytes_ = 0;
  std::size_t files_ = 0;
  dev_t device_ = 0;
  std::set<ino_t> linked_;
};

// What the file systems below some directories hold, whoever wrote it.
std::uint64_t FileSystemUse(const std::vector<std::string>& roots) {
  std::uint64_t bytes = 0;
  std::set<unsigned long> seen;
  for (const std::string& root : roots) {
    struct statvfs info {};
    if (statvfs(root.c_str(), &info) != 0 || !seen.insert(info.f_fsid).second) continue;
    bytes += static_cast<std::uint64_t>(info.f_blocks - info.f_bfree) * info.f_frsize;
  }
  return bytes;
}

// One watch: what is counted when.
class Counting {
 public:
  Counting(const WatchPlan& plan, std::stop_token stop) : plan_(plan), stop_(std::move(stop)) {}

  std::optional<Limited> Look() {
    const ResourceLimits& limits = plan_.limits;
    if (limits.memory_bytes > 0 || limits.processes > 0) {
      const std::vector<pid_t> pids = Descendants(plan_.root);
      if (limits.processes > 0 && ThreadsIn(pids) > static_cast<std::uint64_t>(limits.processes)) {
        return Limited::kProcesses;
      }
      if (limits.memory_bytes > 0 && MemoryOf(pids, limits.memory_bytes) > limits.memory_bytes) {
        return Limited::kMemory;
      }
    }
    if (limits.disk_bytes > 0 && !plan_.disk_roots.empty() && DiskIsDue()) {
      const MonotonicTime before = clock_.Monotonic();
      const std::uint64_t use = CountDisk();
      counted_at_ = clock_.Monotonic();
      cost_ = std::chrono::duration_cast<milliseconds>(counted_at_ - before);
      if (use > limits.disk_bytes) return Limited::kDisk;
      room_ = limits.disk_bytes - use;
    }
    return std::nullopt;
  }

 private:
  bool DiskIsDue() {
    const auto since = clock_.Monotonic() - counted_at_;
    if (counted_at_ == MonotonicTime{}) return true;
    if (since < std::max(kDiskInterval, cost_ * kCostDivisor)) {
      // Unless so much was written meanwhile that it may be too much already.
      return since >= cost_ * kCostDivisor && FileSystemUse(plan_.disk_roots) > seen_ + room_;
    }
    const std::uint64_t now = FileSystemUse(plan_.disk_roots);
    if (now == seen_) return false;
    return now > seen_ + room_ / 2 || since >= kDiskIntervalAtMost;
  }

  std::uint64_t CountDisk() {
    seen_ = FileSystemUse(plan_.disk_roots);
    const std::uint64_t named = DiskUseOf(plan_.disk_roots, plan_.limits.disk_bytes, stop_);
    if (named > plan_.limits.disk_bytes) return named;
    return named + DeletedFilesOf(Descendants(plan_.root));
  }

  const WatchPlan& plan_;
  const std::stop_token stop_;
  const SystemClock clock_;
  MonotonicTime counted_at_{};
  milliseconds cost_{0};
  std::uint64_t seen_ = 0;  // on the file systems, at the last count
  std::uint64_t room_ = 0;  // left then
};

}  // namespace

std::vector<pid_t> Descendants(pid_t root) {
  std::vector<pid_t> pids;
  AppendChildren(root, pids);
  for (std::size_t i = 0; i < pids.size(); ++i) AppendChildren(pids[i], pids);
  return pids;
}

std::uint64_t ThreadsIn(const std::vector<pid_t>& pids) {
  std::uint64_t threads = 0;
  for (const pid_t pid : pids) {
    struct stat tasks {};  // one link for each thread, and the two of any directory
    const std::string path = fmt::format("/proc/{}/task", pid);
    if (stat(path.c_str(), &tasks) == 0) threads += tasks.st_nlink - 2;
  }
  return threads;
}

std::uint64_t ThreadsOf(uid_t user) {
  std::vector<pid_t> pids;
  Directory processes("/proc");
  while (const char* name = processes.Next()) {
    struct stat info {};
    const auto pid = ParseInt(name);
    if (!pid || fstatat(processes.fd(), name, &info, 0) != 0 || info.st_uid != user) continue;
    pids.push_back(static_cast<pid_t>(*pid));
  }
  return ThreadsIn(pids);
}

// Shares are dear to tell apart: only when the sum of all comes near.
std::uint64_t MemoryOf(const std::vector<pid_t>& pids, std::uint64_t precise_from) {
  const std::uint64_t nameless = NamelessFilesOf(pids, Lies::kInMemory);
  std::uint64_t resident = nameless;
  for (const pid_t pid : pids) resident += ResidentBytes(pid);
  if (resident < precise_from) return resident;
  Shares sum;
  for (const pid_t pid : pids) {
    const Shares one = SharesOf(pid).value_or(Shares{ResidentBytes(pid), 0});
    sum.all += one.all;
    sum.files_in_memory += one.files_in_memory;
  }
  // What is mapped is mostly what is held open.
  return sum.all - sum.files_in_memory + std::max(sum.files_in_memory, nameless);
}

std::uint64_t DiskUseOf(const std::vector<std::string>& roots, std::uint64_t enough,
                        std::stop_token stop) {
  DiskCount count(enough, std::move(stop));
  for (const std::string& root : roots) count.Add(root);
  return count.bytes();
}

std::uint64_t DeletedFilesOf(const std::vector<pid_t>& pids) {
  return NamelessFilesOf(pids, Lies::kAnywhere);
}

TreeWatch::TreeWatch(WatchPlan plan, std::function<void(Limited)> tell)
    : thread_([plan = std::move(plan), tell = std::move(tell)](std::stop_token stop) {
        Counting counting(plan, stop);
        std::mutex mutex;
        std::condition_variable_any never;
        // What is over before the first look is not worth one.
        for (std::unique_lock lock(mutex);;) {
          never.wait_for(lock, stop, kProcessInterval, [] { return false; });
          if (stop.stop_requested()) return;
          if (const auto excess = counting.Look()) return tell(*excess);
        }
      }) {}

}  // namespace swage
