// Control groups, version 1: a hierarchy per controller, and no way to kill a group but one by one.
// Kernel documentation: admin-guide/cgroup-v1.
#include <signal.h>

#include <algorithm>

#include "config/base/cgroup.h"

namespace swage {
namespace {

constexpr std::uint64_t kPeriodUs = 100'000;

class Cgroup1 final : public CgroupHierarchy {
 public:
  Cgroup1(CgroupFiles& files, std::string parent, std::vector<Controller> controllers,
          bool counts_cpu)
      : files_(files),
        parent_(std::move(parent)),
        controllers_(std::move(controllers)),
        counts_cpu_(counts_cpu) {}

  std::string_view Name() const override { return "cgroup v1"; }
  bool Has(Controller controller) const override {
    return std::find(controllers_.begin(), controllers_.end(), controller) != controllers_.end();
  }
  const std::string& Parent() const override { return parent_; }
  Result<void> MakeHome(const std::string& home) override { return files_.MakeDir(home); }

  Result<void> SetLimits(const std::string& dir, const ResourceLimits& limits) override {
    if (Has(Controller::kMemory) && limits.memory_bytes > 0) {
      SWAGE_RETURN_IF_ERROR(
          WriteLimit(files_, dir + "/memory.limit_in_bytes", limits.memory_bytes));
      // Memory and swap together; absent where the kernel does not count swap.
      const auto both =
          WriteLimit(files_, dir + "/memory.memsw.limit_in_bytes", limits.memory_bytes);
      if (!both.ok() && both.error().code != ErrorCode::kNotFound) return both.error();
    }
    if (Has(Controller::kProcesses) && limits.processes > 0) {
      SWAGE_RETURN_IF_ERROR(
          WriteLimit(files_, dir + "/pids.max", static_cast<std::uint64_t>(limits.processes)));
    }
    if (Has(Controller::kCpu) && limits.cpus > 0) {
      SWAGE_RETURN_IF_ERROR(WriteLimit(files_, dir + "/cpu.cfs_period_us", kPeriodUs));
      SWAGE_RETURN_IF_ERROR(WriteLimit(files_, dir + "/cpu.cfs_quota_us",
                                       static_cast<std::uint64_t>(limits.cpus * kPeriodUs)));
    }
    return Ok();
  }

  void AddUse(const std::string& dir, GroupUse& use) const override {
    using std::chrono::duration_cast;
    using std::chrono::microseconds;
    using std::chrono::nanoseconds;
    if (Has(Controller::kMemory)) {
      use.peak_memory_bytes = ReadNumber(files_, dir + "/memory.max_usage_in_bytes");
      use.memory_kills = ReadNumber(files_, dir + "/memory.oom_control", "oom_kill");
    }
    if (Has(Controller::kProcesses)) {
      use.refused_processes = ReadNumber(files_, dir + "/pids.events", "max");
    }
    if (Has(Controller::kCpu)) {
      use.cpu_held_back = duration_cast<microseconds>(
          nanoseconds(ReadNumber(files_, dir + "/cpu.stat", "throttled_time")));
    }
    if (counts_cpu_) {
      use.cpu =
          duration_cast<microseconds>(nanoseconds(ReadNumber(files_, dir + "/cpuacct.usage")));
    }
  }

  bool KillRound(const std::string& dir) override {
    // Whoever forks faster than we kill is stopped from forking first.
    if (Has(Controller::kProcesses)) (void)files_.Write(dir + "/pids.max", "0").ok();
    const std::vector<pid_t> processes = ProcessesOf(files_, dir);
    for (const pid_t pid : processes) {
      if (pid > 1) kill(pid, SIGKILL);
    }
    return !processes.empty();
  }

 private:
  CgroupFiles& files_;
  const std::string parent_;
  const std::vector<Controller> controllers_;
  const bool counts_cpu_;
};

}  // namespace

std::unique_ptr<CgroupHierarchy> MakeCgroup1(CgroupFiles& files, std::string parent,
                                             std::vector<Controller> controllers, bool counts_cpu) {
  return std::make_unique<Cgroup1>(files, std::move(parent), std::move(controllers), counts_cpu);
}

}  // namespace swage
