// What swage-escape says of an attempt, by its exit code.
#pragma once

namespace swage {

inline constexpr int kThrough = 0;
inline constexpr int kStopped = 3;

}  // namespace swage
