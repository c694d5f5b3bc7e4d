// What the process runner and swage-supervise say to each other. One build makes both, so the
// report is a plain struct.
//
// Command line: swage-supervise GRACE_MS DIRECTORY FENCE COMMAND [ARGUMENT...], with the command's
// whole environment. The command's stdin, stdout and stderr are the supervisor's. FENCE is
// "GROUPS:FILE_BYTES:OPEN_FILES:PROCESSES": how many descriptors of control groups there are from
// kSupervisorGroupFd on, then rlimits; 0 = none of ours.
//
// Command line: swage-supervise --try memory|processes|cpu|disk AMOUNT: takes so much (MiB,
// processes, milliseconds, MiB in the current directory), to see whether a limit holds; exits with
// 0 when it got everything, with kTryRefused when it was refused.
#pragma once

#include <cstdint>

namespace swage {

/// Read end, held open by the runner: kSupervisorStop = TERM, then KILL after the grace;
/// kSupervisorKill and end of file (the runner is dead) = KILL at once.
inline constexpr int kSupervisorControlFd = 3;
/// Write end: kStarted just before execve, and one last report when no descendant is left (or
/// nothing could be started).
inline constexpr int kSupervisorReportFd = 4;
/// Write end, open only when the command reports its own start: becomes its kStartReportFd.
inline constexpr int kSupervisorStartFd = 9;
/// First of the `cgroup.procs` files of the groups that the command is put into.
inline constexpr int kSupervisorGroupFd = 5;
inline constexpr int kMaxSupervisorGroups = 4;

inline constexpr char kSupervisorStop = 's';
inline constexpr char kSupervisorKill = 'k';
inline constexpr int kTryRefused = 3;

enum class SupervisorOutcome : std::int32_t {
  kStarted,      ///< value: process id of the command, leader of its group; the end follows
  kExited,       ///< value: exit code
  kSignalled,    ///< value: signal
  kNoDirectory,  ///< value: errno of chdir
  kNotStarted,   ///< value: errno of execve
  kNotFenced,    ///< value: errno of what should have limited it
};

struct SupervisorReport {
  SupervisorOutcome outcome = SupervisorOutcome::kNotStarted;
  std::int32_t value = 0;
  std::int32_t stopped = 0;       ///< 1: asked to stop while the command still ran
  std::int32_t leftover = 0;      ///< descendants alive after the command had ended by itself
  std::int64_t cpu_us = 0;        ///< of all descendants that were waited for
  std::int64_t peak_rss_kib = 0;  ///< of the largest of them
};

}  // namespace swage
