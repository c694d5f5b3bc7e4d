// CommandGroups: control groups of the kernel, one per command, below one that this process owns.
//
// Both versions of the interface are spoken, also side by side: version 1 has a hierarchy per
// controller, version 2 one for all. What this process may not use, it does without and says why
// (WhyNot). Directories are named after the process that made them (its namespace, id and start),
// so that the next start finds and removes what a killed one left, with all that still runs in it.
// Thread-safe.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/cgroup_files.h"
#include "config/base/process.h"

namespace swage {

enum class Controller { kMemory, kProcesses, kCpu };
inline constexpr Controller kControllers[] = {Controller::kMemory, Controller::kProcesses,
                                              Controller::kCpu};

/// What a group knows of its tree.
struct GroupUse {
  std::chrono::microseconds cpu{0};
  std::chrono::microseconds cpu_held_back{0};
  std::uint64_t peak_memory_bytes = 0;
  std::uint64_t memory_kills = 0;       ///< processes that the kernel killed for memory
  std::uint64_t refused_processes = 0;  ///< forks that failed
};

/// One hierarchy in which we may make groups, and how it is spoken to. Directories are those of
/// single commands.
class CgroupHierarchy {
 public:
  virtual ~CgroupHierarchy() = default;
  virtual std::string_view Name() const = 0;  ///< "cgroup v2"
  virtual bool Has(Controller controller) const = 0;
  /// Where directories of processes like this one stand.
  virtual const std::string& Parent() const = 0;
  /// Makes the directory of this process, ready to hold groups; which of its controllers it can
  /// use is known then.
  virtual Result<void> MakeHome(const std::string& home) = 0;
  /// Why controllers that are there cannot be used; empty = they can.
  virtual std::string WhyNot() const { return {}; }
  /// Each limit is read back: what the kernel did not take is an error.
  virtual Result<void> SetLimits(const std::string& dir, const ResourceLimits& limits) = 0;
  virtual void AddUse(const std::string& dir, GroupUse& use) const = 0;
  /// Kills whoever is in it, as far as one round gets; false when nobody was left.
  virtual bool KillRound(const std::string& dir) = 0;
};

/// The hierarchies of this machine. `mountinfo` and `own` are what /proc/self/mountinfo and
/// /proc/self/cgroup hold.
std::vector<std::unique_ptr<CgroupHierarchy>> FindHierarchies(CgroupFiles& files,
                                                              std::string_view mountinfo,
                                                              std::string_view own);
std::unique_ptr<CgroupHierarchy> MakeCgroup1(CgroupFiles& files, std::string parent,
                                             std::vector<Controller> controllers, bool counts_cpu);
std::unique_ptr<CgroupHierarchy> MakeCgroup2(CgroupFiles& files, std::string parent);

/// Writes a number and sees whether it was taken; the kernel may round it down. Errors: as
/// CgroupFiles, and kInternal when something else stands there afterwards.
Result<void> WriteLimit(CgroupFiles& files, const std::string& file, std::uint64_t value);
/// The number in a file, or behind a key in it ("oom_kill 3"); 0 when there is none.
std::uint64_t ReadNumber(const CgroupFiles& files, const std::string& file,
                         std::string_view key = {});
/// The processes of a group, at most `kMaxGroupProcesses` of them.
std::vector<pid_t> ProcessesOf(const CgroupFiles& files, const std::string& dir);
inline constexpr std::size_t kMaxGroupProcesses = 64 << 10;

/// The groups of one command, one per hierarchy; destroying it kills what is left inside and
/// removes it.
class CommandGroup {
 public:
  CommandGroup(CommandGroups& owner, std::string name) : owner_(owner), name_(std::move(name)) {}
  ~CommandGroup();
  CommandGroup(const CommandGroup&) = delete;
  CommandGroup& operator=(const CommandGroup&) = delete;

  /// The files through which a process enters; at most kMaxSupervisorGroups.
  std::vector<Fd>& Entries() { return entries_; }
  GroupUse Use() const;
  void KillAll();

 private:
  friend class CommandGroups;
  CommandGroups& owner_;
  const std::string name_;
  std::vector<Fd> entries_;
};

class CommandGroups {
 public:
  /// Of this process on this machine. Never fails: what cannot be had is in WhyNot.
  static std::shared_ptr<CommandGroups> Open();
  /// `self` names this process among all there ever were; `lives` knows others by their names.
  CommandGroups(std::unique_ptr<CgroupFiles> files, std::string_view mountinfo,
                std::string_view own, std::string self, bool (*lives)(std::string_view));
  ~CommandGroups();
  CommandGroups(const CommandGroups&) = delete;
  CommandGroups& operator=(const CommandGroups&) = delete;

  bool Keeps(Controller controller) const { return !MeansOf(controller).empty(); }
  /// "cgroup v1"; empty when it is not kept.
  std::string_view MeansOf(Controller controller) const;
  /// Why a controller cannot be used, with what to do about it.
  std::string WhyNot() const;
  /// A group with those of the limits that are kept here. It must not outlive this. Errors: as
  /// CgroupFiles.
  Result<std::unique_ptr<CommandGroup>> Make(const ResourceLimits& limits);

 private:
  friend class CommandGroup;
  std::string DirOf(const CgroupHierarchy& hierarchy, std::string_view name) const;
  void Adopt(std::unique_ptr<CgroupHierarchy> hierarchy);
  void Sweep(CgroupHierarchy& hierarchy, bool (*lives)(std::string_view));
  void Kill(CgroupHierarchy& hierarchy, const std::string& dir);
  void Remove(const std::string& dir);

  const std::unique_ptr<CgroupFiles> files_;
  const std::string home_name_;
  std::vector<std::unique_ptr<CgroupHierarchy>> hierarchies_;
  std::vector<std::string> refusals_;
  std::atomic<std::uint64_t> made_{0};
};

/// This process's name, "NAMESPACE-PID-START", and whether the bearer of one still lives.
std::string ProcessName();
bool ProcessLives(std::string_view name);

}  // namespace swage
