// A crash point after each request that may have changed a forge: the forge did it, and nobody has
// read the answer. See config/base/crash_point.h.
#pragma once

#include <memory>

#include "config/base/crash_point.h"
#include "forge/transport.h"

namespace swage {

/// `points` must outlive it.
std::unique_ptr<HttpTransport> WithCrashPoints(std::unique_ptr<HttpTransport> inner,
                                               CrashPoints& points);

}  // namespace swage
