// Control groups, version 2: one hierarchy; controllers are handed down level by level, and only to
// the children of a group that holds no processes itself.
// Kernel documentation: admin-guide/cgroup-v2; who may use what below a service: systemd's
// CGROUP_DELEGATION.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "config/base/cgroup.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::uint64_t kPeriodUs = 100'000;
// Where this process moves when its own group has to be empty.
constexpr std::string_view kOwnPlace = "/swage-main";
constexpr std::string_view kDelegate =
    "run it as a service with Delegate=yes (systemd), or start it with `systemd-run --scope "
    "-p Delegate=yes`";

std::string_view KernelName(Controller controller) {
  switch (controller) {
    case Controller::kMemory:
      return "memory";
    case Controller::kProcesses:
      return "pids";
    case Controller::kCpu:
      return "cpu";
  }
  return "";
}

bool HasWord(std::string_view text, std::string_view word) {
  const std::vector<std::string_view> words = Split(Trim(text), ' ');
  return std::find(words.begin(), words.end(), word) != words.end();
}

class Cgroup2 final : public CgroupHierarchy {
 public:
  Cgroup2(CgroupFiles& files, std::string parent) : files_(files), parent_(std::move(parent)) {
    // Moved there by an earlier look, or by the process that started this one.
    if (parent_.ends_with(kOwnPlace)) parent_.resize(parent_.size() - kOwnPlace.size());
  }

  std::string_view Name() const override { return "cgroup v2"; }
  bool Has(Controller controller) const override {
    return std::find(controllers_.begin(), controllers_.end(), controller) != controllers_.end();
  }
  const std::string& Parent() const override { return parent_; }
  std::string WhyNot() const override { return why_not_; }

  // Without any controller a group still counts CPU time and can be killed as a whole.
  Result<void> MakeHome(const std::string& home) override {
    SWAGE_ASSIGN_OR_RETURN(const std::string there, files_.Read(parent_ + "/cgroup.controllers"));
    const std::string wanted = Wanted(there);
    Result<void> handed = wanted.empty() ? Ok() : HandDownFromParent(wanted);
    SWAGE_RETURN_IF_ERROR(files_.MakeDir(home));
    if (handed.ok() && !wanted.empty()) handed = HandDown(home, wanted);
    if (!handed.ok()) {
      why_not_ = fmt::format("{}; {}", handed.error().message, kDelegate);
      return Ok();
    }
    const auto mine = files_.Read(home + "/cgroup.subtree_control");
    for (const Controller controller : kControllers) {
      if (mine.ok() && HasWord(*mine, KernelName(controller))) controllers_.push_back(controller);
    }
    return Ok();
  }

  Result<void> SetLimits(const std::string& dir, const ResourceLimits& limits) override {
    if (Has(Controller::kMemory) && limits.memory_bytes > 0) {
      SWAGE_RETURN_IF_ERROR(WriteLimit(files_, dir + "/memory.max", limits.memory_bytes));
      const auto swap = WriteLimit(files_, dir + "/memory.swap.max", 0);
      if (!swap.ok() && swap.error().code != ErrorCode::kNotFound) return swap.error();
    }
    if (Has(Controller::kProcesses) && limits.processes > 0) {
      SWAGE_RETURN_IF_ERROR(
          WriteLimit(files_, dir + "/pids.max", static_cast<std::uint64_t>(limits.processes)));
    }
    if (Has(Controller::kCpu) && limits.cpus > 0) {
      const auto quota = static_cast<std::uint64_t>(limits.cpus * kPeriodUs);
      const std::string text = fmt::format("{} {}", quota, kPeriodUs);
      SWAGE_RETURN_IF_ERROR(files_.Write(dir + "/cpu.max", text));
      SWAGE_ASSIGN_OR_RETURN(const std::string taken, files_.Read(dir + "/cpu.max"));
      if (Trim(taken) != text) {
        return MakeError(ErrorCode::kInternal,
                         fmt::format("{}/cpu.max is {} instead of {}", dir, Trim(taken), text));
      }
    }
    return Ok();
  }

  void AddUse(const std::string& dir, GroupUse& use) const override {
    use.cpu = std::chrono::microseconds(ReadNumber(files_, dir + "/cpu.stat", "usage_usec"));
    if (Has(Controller::kCpu)) {
      use.cpu_held_back =
          std::chrono::microseconds(ReadNumber(files_, dir + "/cpu.stat", "throttled_usec"));
    }
    if (Has(Controller::kMemory)) {
      use.peak_memory_bytes = ReadNumber(files_, dir + "/memory.peak");
      use.memory_kills = ReadNumber(files_, dir + "/memory.events", "oom_kill");
    }
    if (Has(Controller::kProcesses)) {
      use.refused_processes = ReadNumber(files_, dir + "/pids.events", "max");
    }
  }

  bool KillRound(const std::string& dir) override {
    if (ReadNumber(files_, dir + "/cgroup.events", "populated") == 0) return false;
    return files_.Write(dir + "/cgroup.kill", "1").ok();
  }

 private:
  std::string Wanted(std::string_view there) const {
    std::string wanted;
    for (const Controller controller : kControllers) {
      const std::string_view name = KernelName(controller);
      if (HasWord(there, name)) wanted += fmt::format("{}+{}", wanted.empty() ? "" : " ", name);
    }
    return wanted;
  }

  Result<void> HandDown(const std::string& dir, const std::string& wanted) {
    return files_.Write(dir + "/cgroup.subtree_control", wanted);
  }

  // Processes in the way may be moved only when they are this one: of others we know nothing.
  Result<void> HandDownFromParent(const std::string& wanted) {
    const auto handed = HandDown(parent_, wanted);
    if (handed.ok() || handed.error().code != ErrorCode::kConflict) return handed;
    const std::vector<pid_t> inside = ProcessesOf(files_, parent_);
    if (inside != std::vector<pid_t>{getpid()}) {
      return MakeError(ErrorCode::kConflict,
                       fmt::format("other processes are in the control group {}", parent_));
    }
    const std::string place = parent_ + std::string(kOwnPlace);
    const auto made = files_.MakeDir(place);
    if (!made.ok() && made.error().code != ErrorCode::kConflict) return made;
    SWAGE_RETURN_IF_ERROR(files_.Write(place + "/cgroup.procs", std::to_string(getpid())));
    return HandDown(parent_, wanted);
  }

  CgroupFiles& files_;
  std::string parent_;
  std::string why_not_;
  std::vector<Controller> controllers_;
};

}  // namespace

std::unique_ptr<CgroupHierarchy> MakeCgroup2(CgroupFiles& files, std::string parent) {
  return std::make_unique<Cgroup2>(files, std::move(parent));
}

}  // namespace swage
