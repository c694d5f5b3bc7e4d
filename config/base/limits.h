// How limits are kept on this machine, and how they are put into words.
//
// Control groups keep memory, processes and CPU time where this process may make any; what they do
// not keep is counted several times a second and the tree is killed for it (memory, processes), or
// is not kept at all (CPU time). Disk is always counted; files and descriptors are rlimits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/process.h"

namespace swage {

enum class Limited { kMemory, kProcesses, kCpu, kDisk, kFile, kOpenFiles };
inline constexpr Limited kLimited[] = {Limited::kMemory, Limited::kProcesses, Limited::kCpu,
                                       Limited::kDisk,   Limited::kFile,      Limited::kOpenFiles};
std::string_view Name(Limited what);  ///< "memory": as in `isolation.limits.memory`

/// By what one limit is kept here.
struct LimitKeeper {
  Limited what = Limited::kMemory;
  bool kept = false;
  std::string means;  ///< "cgroup v1", "counting"; or why it is not kept, and what to do

  /// "memory: cgroup v1", "cpus: not enforced: ...".
  std::string Describe() const;
};

/// What is set up, without trying; `groups` may be null. Cheap: for the start log.
std::vector<LimitKeeper> LimitKeepers(const CommandGroups* groups);

/// The same, each tried with a command that wants too much; one that does not hold is not kept,
/// whatever was promised. Takes about a second. Errors: kInternal, when nothing can be run.
Result<std::vector<LimitKeeper>> TryLimits(ProcessRunner& runner, const std::string& supervisor,
                                           const CommandGroups* groups);

/// The smaller of both for each kind, where 0 is larger than everything.
ResourceLimits Stricter(const ResourceLimits& a, const ResourceLimits& b);

std::string FormatSize(std::uint64_t bytes);  ///< "2 GiB", "1.5 MiB", "312 B"
/// "it used more than 2 GiB of memory (isolation.limits.memory)".
std::string DescribeExcess(Limited what, const ResourceLimits& limits);
/// "exit code 0 after 12.3 s; 10.2 s of CPU time, 1.3 GiB of memory".
std::string DescribeUse(const ProcessResult& result);

}  // namespace swage
