// How deep JSON nests, found without parsing it.
#pragma once

#include <string_view>

namespace swage {

/// Whether brackets open more than `depth` levels. Strings are skipped; the text need not be valid
/// JSON. Microseconds for a webhook: most of its bytes are inside strings, which memchr runs
/// through.
bool NestsDeeperThan(std::string_view json, int depth);

}  // namespace swage
