#include "config/base/clock.h"

#include <fmt/format.h>

#include <ctime>

namespace swage {

WallTime SystemClock::Now() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

MonotonicTime SystemClock::Monotonic() const {
  return std::chrono::steady_clock::now();
}

std::string FormatUtc(WallTime t) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string FormatDuration(std::chrono::milliseconds d) {
  const auto ms = d.count();
  if (ms < 1000) return fmt::format("{} ms", ms);
  // Cut, not rounded: 59,999 ms is no 60.0 s.
  if (ms < 60'000) return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100);
  const auto minutes = ms / 60'000;
  if (minutes < 60) return fmt::format("{} min {} s", minutes, ms / 1000 % 60);
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

}  // namespace swage
