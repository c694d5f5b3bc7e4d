// ManualClock: time that stands still until a test moves it.
//
// Wall and monotonic time move together with Advance; SetWall moves the wall alone, as an operator
// or a time server does. Safe for use from many threads.
#pragma once

#include <atomic>

#include "config/base/clock.h"

namespace swage {

class ManualClock final : public Clock {
 public:
  /// 2026-03-01T12:00:00Z.
  static constexpr std::int64_t kStartMicros = 1'772'366'400'000'000;

  explicit ManualClock(WallTime wall = FromMicros(kStartMicros)) : wall_us_(ToMicros(wall)) {}

  WallTime Now() const override { return FromMicros(wall_us_.load()); }
  MonotonicTime Monotonic() const override {
    return MonotonicTime(std::chrono::microseconds(monotonic_us_.load()));
  }

  void Advance(std::chrono::microseconds by) {
    wall_us_ += by.count();
    monotonic_us_ += by.count();
  }
  void SetWall(WallTime wall) { wall_us_ = ToMicros(wall); }
  void SetMonotonic(MonotonicTime at) {
    monotonic_us_ =
        std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
  }

 private:
  std::atomic<std::int64_t> wall_us_;
  std::atomic<std::int64_t> monotonic_us_{1'000'000};
};

}  // namespace swage
