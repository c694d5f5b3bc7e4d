// EngineClock: wall time at the start, advanced by the monotonic clock, so that leases and retries
// keep their length when somebody sets the clock (X14). For an engine whose file one process owns,
// so that nobody disagrees; and for tests. Thread-safe.
#pragma once

#include "config/base/clock.h"

namespace swage::sql {

class EngineClock {
 public:
  explicit EngineClock(const Clock& clock)
      : clock_(clock), wall_(clock.Now()), monotonic_(clock.Monotonic()) {}
  WallTime Now() const {
    return wall_ +
           std::chrono::duration_cast<std::chrono::microseconds>(clock_.Monotonic() - monotonic_);
  }

 private:
  const Clock& clock_;
  const WallTime wall_;
  const MonotonicTime monotonic_;
};

}  // namespace swage::sql
