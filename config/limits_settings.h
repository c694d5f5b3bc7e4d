// How much a task's commands may take, and what they may reach, as settings and policies say it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/base/process.h"

namespace swage {

/// Of one command of a task with all that it starts: enough for large builds, and less than what
/// makes a machine unusable. CPU time is shared fairly by the kernel; a limit is for who wants one.
inline ResourceLimits DefaultTaskLimits() {
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
  ResourceLimits limits;
  limits.memory_bytes = 8 * kGiB;
  limits.disk_bytes = 20 * kGiB;
  limits.file_bytes = 8 * kGiB;
  limits.processes = 2048;
  limits.open_files = 8192;
  return limits;
}

/// Hosts as config/egress_list.h reads them.
struct EgressSettings {
  std::vector<std::string> allow;      ///< for every agent
  std::vector<std::string> may_allow;  ///< what policies may add
  bool preset_hosts = true;            ///< the agent's preset adds the hosts of its model
};

}  // namespace swage
