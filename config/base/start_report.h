// How an enclosure (see ProcessSpec::reports_start) tells whether the command inside began.
//
// A sandbox that could not be set up and a command that failed both end with some exit code. The
// last program before the command, swage-enter, therefore writes one report just before execve and
// another one if anything went wrong; no report at all = the enclosure itself did not come so far.
#pragma once

#include <cstdint>

namespace swage {

/// Of the command that was given to the runner, open for writing. Nothing inside inherits it.
inline constexpr int kStartReportFd = 3;

enum class StartStage : std::int32_t {
  kStarted,   ///< execve comes next
  kEnclosed,  ///< a guard could not be put up; `error` is the errno, stderr says which
  kExecuted,  ///< execve failed; `error` is its errno
};

/// Written whole, by one write.
struct StartReport {
  StartStage stage = StartStage::kEnclosed;
  std::int32_t error = 0;
};

}  // namespace swage
