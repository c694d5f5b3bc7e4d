// How the rows of polls keep an instant: as text, in microseconds since the epoch.
#pragma once

#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "config/base/text.h"

namespace swage {

inline std::string Stamp(WallTime time) {
  return std::to_string(ToMicros(time));
}

/// The epoch for what is no stamp.
inline WallTime Instant(std::string_view stamp) {
  return FromMicros(ParseInt(stamp).value_or(0));
}

}  // namespace swage
