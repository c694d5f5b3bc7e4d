// TreeWatch: counts what a running command holds, and tells when it is more than it may.
//
// For disk, which no kernel interface keeps per tree on every file system, and for memory and
// processes where no control group does. Counting is spaced so that it costs a tenth of one core
// at most: large trees are counted less often, and files only after their file system has grown.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "config/base/limits.h"

namespace swage {

struct WatchPlan {
  pid_t root = 0;         ///< every descendant counts, itself not
  ResourceLimits limits;  ///< memory_bytes, processes and disk_bytes; 0 = not counted
  std::vector<std::string> disk_roots;
  bool Needed() const {
    return limits.memory_bytes > 0 || limits.processes > 0 ||
           (limits.disk_bytes > 0 && !disk_roots.empty());
  }
};

/// The descendants of a process, at most kMaxTreeProcesses of them.
std::vector<pid_t> Descendants(pid_t root);
inline constexpr std::size_t kMaxTreeProcesses = 16 << 10;
/// Threads of processes. Those that are gone count nothing.
std::uint64_t ThreadsIn(const std::vector<pid_t>& pids);
/// Threads of all processes of a user, as RLIMIT_NPROC counts them.
std::uint64_t ThreadsOf(uid_t user);
/// Resident memory of processes, and files in memory that they hold open without a name; what
/// several share counts once. Those that are gone count nothing.
std::uint64_t MemoryOf(const std::vector<pid_t>& pids, std::uint64_t precise_from);
/// What the files below directories take on disk, links not followed, other file systems left out;
/// stops counting past `enough`, after kMaxCountedFiles, and when told to.
std::uint64_t DiskUseOf(const std::vector<std::string>& roots, std::uint64_t enough,
                        std::stop_token stop = {});
inline constexpr std::size_t kMaxCountedFiles = 4'000'000;
/// What processes hold open that has no name any more.
std::uint64_t DeletedFilesOf(const std::vector<pid_t>& pids);

class TreeWatch {
 public:
  /// `tell` is called at most once, from the watch's own thread.
  TreeWatch(WatchPlan plan, std::function<void(Limited)> tell);

 private:
  std::jthread thread_;
};

}  // namespace swage
