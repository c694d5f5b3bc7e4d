// What a forge's answer says about coming back later. Pure.
#pragma once

#include <optional>

#include "config/base/clock.h"
#include "config/base/result.h"
#include "forge/traffic_gate.h"
#include "forge/transport.h"

namespace swage {

/// Longer waits are cut: a wrong clock on the other side must not park a task for days.
inline constexpr std::chrono::milliseconds kMaxRetryAfter{2 * 3'600'000};

/// The wait that the response orders (zero = it does not say), when it was refused for a rate
/// limit: any 429, and a 403 with retry-after, with x-ratelimit-remaining 0, or whose text speaks
/// of a secondary limit.
std::optional<std::chrono::milliseconds> RateLimited(const HttpResponse& response, WallTime now);

/// retry-after in seconds, else (x-)ratelimit-reset as a time; zero = neither.
std::chrono::milliseconds RetryAfter(const HttpResponse& response, WallTime now);

/// What is left, by the forge's own clock (its Date header); nothing where it does not say, or
/// speaks of another resource than its general interface.
std::optional<Quota> QuotaIn(const HttpResponse& response);

}  // namespace swage
