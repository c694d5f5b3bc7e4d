// Clock: the only reader of time in the program.
//
// Wall time goes into rows and onto pages; monotonic time measures durations and deadlines. Tests
// tick a ManualClock (tests/harness). Implementations are safe for use from many threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace swage {

/// Microseconds since the Unix epoch, UTC: the form in which every row keeps time.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;
using MonotonicTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Now() const = 0;
  virtual MonotonicTime Monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime Now() const override;
  MonotonicTime Monotonic() const override;
};

inline std::int64_t ToMicros(WallTime t) {
  return t.time_since_epoch().count();
}
inline WallTime FromMicros(std::int64_t us) {
  return WallTime(std::chrono::microseconds(us));
}

/// "2026-03-01T12:00:00Z" (RFC 3339, seconds).
std::string FormatUtc(WallTime t);

/// RFC 3339 as forges write it: "2026-03-01T12:00:00Z", with a fraction, with an offset, or in
/// GitLab's older form "2026-03-01 12:00:00 UTC". Nothing for anything else.
std::optional<WallTime> ParseUtc(std::string_view text);

/// "850 ms", "12.3 s", "4 min 10 s", "2 h 5 min": for people.
std::string FormatDuration(std::chrono::milliseconds d);

}  // namespace swage
