// Priority: which of two queued tasks goes first, whatever their age (A13).
//
// Strict: normal work waits as long as there is urgent work that has room in its repository. What
// is at work already is not interrupted. Pure.
#pragma once

#include <optional>
#include <string_view>

namespace swage {

/// In the order in which they go; the numbers are the store's.
enum class Priority { kHigh = 0, kNormal = 1, kLow = 2 };

inline constexpr std::string_view kPriorityNames = "high, normal or low";  ///< for people

std::string_view Name(Priority p);  ///< "high"
/// Whatever the case of its letters.
std::optional<Priority> ParsePriority(std::string_view s);

}  // namespace swage
