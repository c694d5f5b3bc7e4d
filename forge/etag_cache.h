// A cache before a transport: what was read before is asked for with its ETag, and an answer that
// nothing changed stands for the same bytes again.
//
// Nothing is ever taken for current without asking, so a reader sees what it would have seen
// anyway. On GitHub such an answer costs none of the hourly quota; elsewhere it is only short. What
// a forge sends no ETag with is passed through, as is what carries one or a credential of its own.
// Bounded; thread-safe as far as its transport is.
#pragma once

#include <memory>

#include "forge/transport.h"

namespace swage {

/// The most that is kept, in bytes of bodies; what was not asked for the longest goes first.
inline constexpr std::size_t kCachedBytes = 4 << 20;
/// Longer answers are not kept.
inline constexpr std::size_t kLongestCached = 256 << 10;

std::unique_ptr<HttpTransport> MakeCachingTransport(std::unique_ptr<HttpTransport> inner);

}  // namespace swage
