#include "config/base/limits.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "config/base/cgroup.h"
#include "config/base/clock.h"
#include "config/base/files.h"
#include "config/base/supervisor_protocol.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::string_view kCounting = "counting, several times a second";

std::string MeansWithoutGroup(Limited what) {
  switch (what) {
    case Limited::kMemory:
    case Limited::kDisk:
      return std::string(kCounting);
    case Limited::kProcesses:
      // The kernel never holds root to RLIMIT_NPROC.
      return geteuid() == 0 ? std::string(kCounting) : fmt::format("rlimit, and {}", kCounting);
    case Limited::kFile:
    case Limited::kOpenFiles:
      return "rlimit";
    case Limited::kCpu:
      break;
  }
  return "";
}

std::string_view MeansOfGroup(Limited what, const CommandGroups* groups) {
  if (groups == nullptr) return "";
  switch (what) {
    case Limited::kMemory:
      return groups->MeansOf(Controller::kMemory);
    case Limited::kProcesses:
      return groups->MeansOf(Controller::kProcesses);
    case Limited::kCpu:
      return groups->MeansOf(Controller::kCpu);
    case Limited::kDisk:
    case Limited::kFile:
    case Limited::kOpenFiles:
      break;
  }
  return "";
}

LimitKeeper KeeperOf(Limited what, const CommandGroups* groups) {
  LimitKeeper keeper{what, true, std::string(MeansOfGroup(what, groups))};
  if (keeper.means.empty()) keeper.means = MeansWithoutGroup(what);
  if (!keeper.means.empty()) return keeper;
  keeper.kept = false;
  keeper.means = groups == nullptr ? "control groups are not used" : groups->WhyNot();
  return keeper;
}

// What a command is allowed, what it takes, and how it can be told that it did not get it.
struct Attempt {
  Limited what;
  std::string_view word;
  int amount;
  ResourceLimits allowed;
  bool (*held)(const ProcessResult&);
};

bool WasRefused(const ProcessResult& result) {
  return result.end == ProcessEnd::kExited && result.exit_code == kTryRefused;
}

ResourceLimits Allow(std::uint64_t memory_mib, int processes, double cpus, std::uint64_t disk_mib) {
  ResourceLimits limits;
  limits.memory_bytes = memory_mib << 20;
  limits.processes = processes;
  limits.cpus = cpus;
  limits.disk_bytes = disk_mib << 20;
  return limits;
}

std::array<Attempt, 4> Attempts() {
  return {
      Attempt{Limited::kMemory, "memory", 96, Allow(32, 0, 0, 0),
              [](const ProcessResult& r) { return r.end == ProcessEnd::kOutOfMemory; }},
      Attempt{Limited::kProcesses, "processes", 32, Allow(0, 8, 0, 0),
              [](const ProcessResult& r) {
                return WasRefused(r) || r.end == ProcessEnd::kTooManyProcesses;
              }},
      Attempt{Limited::kCpu, "cpu", 300, Allow(0, 0, 0.1, 0),
              [](const ProcessResult& r) { return r.use.cpu_held_back.count() > 0; }},
      Attempt{Limited::kDisk, "disk", 16, Allow(0, 0, 0, 1),
              [](const ProcessResult& r) { return r.end == ProcessEnd::kDiskFull; }},
  };
}

Result<void> Try(const Attempt& attempt, ProcessRunner& runner, const std::string& supervisor,
                 LimitKeeper& keeper) {
  const TempDir dir("swage-try-");
  ProcessSpec spec;
  spec.argv = {supervisor, "--try", std::string(attempt.word), std::to_string(attempt.amount)};
  spec.cwd = dir.path();
  spec.time_limit = std::chrono::seconds(10);
  spec.kill_grace = std::chrono::milliseconds(0);
  spec.limits = attempt.allowed;
  spec.disk_roots = {dir.path()};
  SWAGE_ASSIGN_OR_RETURN(const ProcessResult result, runner.Run(spec, nullptr, {}));
  if (attempt.held(result)) return Ok();
  keeper.kept = false;
  keeper.means = fmt::format("promised by {}, but a command that wanted more got it ({})",
                             keeper.means, result.Describe());
  return Ok();
}

}  // namespace

std::string_view Name(Limited what) {
  switch (what) {
    case Limited::kMemory:
      return "memory";
    case Limited::kProcesses:
      return "processes";
    case Limited::kCpu:
      return "cpus";
    case Limited::kDisk:
      return "disk";
    case Limited::kFile:
      return "file";
    case Limited::kOpenFiles:
      return "open_files";
  }
  return "";
}

std::string LimitKeeper::Describe() const {
  return fmt::format("{}: {}{}", Name(what), kept ? "" : "not enforced: ", means);
}

std::vector<LimitKeeper> LimitKeepers(const CommandGroups* groups) {
  std::vector<LimitKeeper> keepers;
  for (const Limited what : kLimited) keepers.push_back(KeeperOf(what, groups));
  return keepers;
}

Result<std::vector<LimitKeeper>> TryLimits(ProcessRunner& runner, const std::string& supervisor,
                                           const CommandGroups* groups) {
  std::vector<LimitKeeper> keepers = LimitKeepers(groups);
  for (const Attempt& attempt : Attempts()) {
    for (LimitKeeper& keeper : keepers) {
      if (keeper.what != attempt.what || !keeper.kept) continue;
      SWAGE_RETURN_IF_ERROR(Try(attempt, runner, supervisor, keeper));
    }
  }
  return keepers;
}

ResourceLimits Stricter(const ResourceLimits& a, const ResourceLimits& b) {
  const auto stricter = [](auto x, auto y) {
    if (x == 0 || y == 0) return std::max(x, y);
    return std::min(x, y);
  };
  ResourceLimits both;
  both.memory_bytes = stricter(a.memory_bytes, b.memory_bytes);
  both.file_bytes = stricter(a.file_bytes, b.file_bytes);
  both.disk_bytes = stricter(a.disk_bytes, b.disk_bytes);
  both.processes = stricter(a.processes, b.processes);
  both.open_files = stricter(a.open_files, b.open_files);
  both.cpus = stricter(a.cpus, b.cpus);
  return both;
}

std::string FormatSize(std::uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  std::string number = fmt::format("{:.1f}", value);
  if (number.ends_with(".0")) number.resize(number.size() - 2);
  return fmt::format("{} {}", number, kUnits[unit]);
}

std::string DescribeExcess(Limited what, const ResourceLimits& limits) {
  const std::string setting = fmt::format("(isolation.limits.{})", Name(what));
  switch (what) {
    case Limited::kMemory:
      return fmt::format("it used more than {} of memory {}", FormatSize(limits.memory_bytes),
                         setting);
    case Limited::kProcesses:
      return fmt::format("it wanted more than {} processes {}", limits.processes, setting);
    case Limited::kDisk:
      return fmt::format("its files took more than {} of disk {}", FormatSize(limits.disk_bytes),
                         setting);
    case Limited::kFile:
      return fmt::format("it wrote a file larger than {} {}", FormatSize(limits.file_bytes),
                         setting);
    case Limited::kCpu:
    case Limited::kOpenFiles:
      break;  // nobody is killed for these
  }
  return "";
}

std::string DescribeUse(const ProcessResult& result) {
  std::string text = fmt::format("{} after {}", result.Describe(), FormatDuration(result.duration));
  std::vector<std::string> used;
  if (result.use.cpu.count() > 0) {
    used.push_back(FormatDuration(result.use.cpu) + " of CPU time");
  }
  if (result.use.peak_memory_bytes > 0) {
    used.push_back(FormatSize(result.use.peak_memory_bytes) + " of memory");
  }
  if (!used.empty()) text += "; " + Join(used, ", ");
  return text;
}

}  // namespace swage
