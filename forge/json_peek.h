// Reads one string of a JSON text without building it.
//
// For bodies whose sender is not known yet: nothing is allocated per value, nesting is bounded, and
// a hostile text costs one pass. Pure.
#pragma once

#include <string>
#include <string_view>

namespace swage {

/// The string at {"outer": {"inner": "..."}}, or empty: absent, another type, or no JSON. Of
/// repeated names the last one counts, as it does for ParseJson: the two must never disagree (T6).
std::string PeekJsonString(std::string_view text, std::string_view outer, std::string_view inner);

}  // namespace swage
