// The Date of HTTP messages (RFC 9110, 5.6.7), in the one form that is sent today. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/base/clock.h"

namespace swage {

/// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string FormatHttpDate(WallTime time);
/// Nothing for any other form.
std::optional<WallTime> ParseHttpDate(std::string_view text);

}  // namespace swage
