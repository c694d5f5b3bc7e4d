// Who keeps a task's commands to their limits: the runner, by control groups, counting and rlimits;
// of a container its engine, but for the disk, which is the machine's.
#include <filesystem>

#include "config/base/text.h"
#include "pipeline/isolation/levels.h"

namespace swage {
namespace {

constexpr Guarantee kLimits[] = {Guarantee::kMemoryLimit, Guarantee::kProcessLimit,
                                 Guarantee::kDiskLimit};

std::optional<Limited> WhatOf(Guarantee guarantee) {
  switch (guarantee) {
    case Guarantee::kMemoryLimit:
      return Limited::kMemory;
    case Guarantee::kProcessLimit:
      return Limited::kProcesses;
    case Guarantee::kDiskLimit:
      return Limited::kDisk;
    case Guarantee::kNoWriteOutside:
    case Guarantee::kNoReadOtherTasks:
    case Guarantee::kNoReadBot:
    case Guarantee::kNoNetwork:
    case Guarantee::kNoBotPorts:
    case Guarantee::kNoSurvivors:
      break;
  }
  return std::nullopt;
}

// "counting" of "counting, several times a second".
std::string KeptByRunner(Guarantee limit, const IsolationOptions& options) {
  for (const LimitKeeper& keeper : options.limits) {
    if (keeper.what == WhatOf(limit) && keeper.kept) {
      return std::string(Split(keeper.means, ',').front());
    }
  }
  return {};
}

}  // namespace

std::string KeeperOf(Guarantee limit, IsolationLevel level, const IsolationOptions& options) {
  const bool engines = level == IsolationLevel::kContainer && limit != Guarantee::kDiskLimit;
  if (!WhatOf(limit)) return {};
  return engines ? std::filesystem::path(options.container).filename().string()
                 : KeptByRunner(limit, options);
}

std::vector<Guarantee> LimitsOfRunner(const IsolationOptions& options) {
  std::vector<Guarantee> kept;
  for (const Guarantee limit : kLimits) {
    if (!KeptByRunner(limit, options).empty()) kept.push_back(limit);
  }
  return kept;
}

}  // namespace swage
