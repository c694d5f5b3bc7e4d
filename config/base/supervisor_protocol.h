// What the process runner and swage-supervise say to each other. One build makes both, so the
// report is a plain struct.
//
// Command line: swage-supervise GRACE_MS DIRECTORY COMMAND [ARGUMENT...], with the command's whole
// environment. The command's stdin, stdout and stderr are the supervisor's.
#pragma once

#include <cstdint>

namespace swage {

/// Read end, held open by the runner: a byte = stop (TERM, then KILL after the grace); end of file
/// = the runner is dead, KILL at once.
inline constexpr int kSupervisorControlFd = 3;
/// Write end: kStarted just before execve, and one last report when no descendant is left (or
/// nothing could be started).
inline constexpr int kSupervisorReportFd = 4;
/// Write end, open only when the command reports its own start: becomes its kStartReportFd.
inline constexpr int kSupervisorStartFd = 9;

enum class SupervisorOutcome : std::int32_t {
  kStarted,      ///< value: process id of the command, leader of its group; the end follows
  kExited,       ///< value: exit code
  kSignalled,    ///< value: signal
  kNoDirectory,  ///< value: errno of chdir
  kNotStarted,   ///< value: errno of execve
};

struct SupervisorReport {
  SupervisorOutcome outcome = SupervisorOutcome::kNotStarted;
  std::int32_t value = 0;
  std::int32_t stopped = 0;   ///< 1: asked to stop while the command still ran
  std::int32_t leftover = 0;  ///< descendants alive after the command had ended by itself
};

}  // namespace swage
