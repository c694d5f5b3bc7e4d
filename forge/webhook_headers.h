// The one way in which webhook dialects read a header that decides something. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "forge/forge.h"

namespace swage {

/// Longer values of ids, names and signatures are no forge's.
inline constexpr std::size_t kMaxWebhookHeader = 512;

/// The value of a header that came exactly once, is not empty, bounded, and printable ASCII. `name`
/// in lower case. A doubled header (joined by '\n' in HeaderMap) is none: which one did the sender
/// mean?
std::optional<std::string> SingleHeader(const HeaderMap& headers, std::string_view name);

}  // namespace swage
