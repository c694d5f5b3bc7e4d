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

namespace {

// The digits at `at`, exactly `count` of them; nothing when there is anything else.
std::optional<int> Digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// "Z", " UTC", "+01:00", "-0130".
std::optional<std::chrono::minutes> Offset(std::string_view zone) {
  if (zone == "Z" || zone == " UTC") return std::chrono::minutes(0);
  if (zone.size() < 5 || (zone[0] != '+' && zone[0] != '-')) return std::nullopt;
  const std::size_t colon = zone[3] == ':' ? 1 : 0;
  const auto hours = Digits(zone, 1, 2);
  const auto minutes = Digits(zone, 3 + colon, 2);
  if (!hours || !minutes || zone.size() != 5 + colon) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return zone[0] == '-' ? -offset : offset;
}

}  // namespace

std::optional<WallTime> ParseUtc(std::string_view text) {
  constexpr std::size_t kSeconds = 19;  // "2026-03-01T12:00:00"
  constexpr std::size_t kMicroDigits = 6;
  if (text.size() <= kSeconds || text[4] != '-' || text[7] != '-' || text[13] != ':' ||
      text[16] != ':' || (text[10] != 'T' && text[10] != ' ')) {
    return std::nullopt;
  }
  const auto year = Digits(text, 0, 4), month = Digits(text, 5, 2), day = Digits(text, 8, 2);
  const auto hour = Digits(text, 11, 2), minute = Digits(text, 14, 2), second = Digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::size_t at = kSeconds;
  std::int64_t micros = 0;
  if (text[at] == '.') {
    std::size_t digits = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
      if (digits < kMicroDigits) micros = micros * 10 + (text[at] - '0');
    }
    for (; digits < kMicroDigits; ++digits) micros *= 10;
  }
  const auto offset = Offset(text.substr(at));
  if (!offset) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + std::chrono::microseconds(micros) - *offset;
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
