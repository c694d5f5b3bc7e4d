// A crash point after each operation of the store that wrote something: it is committed, and nobody
// has heard of it. See config/base/crash_point.h.
//
// What was durable before an operation is what was durable after the one before it, so points in
// front of each would show nothing more.
#pragma once

#include <memory>

#include "config/base/crash_point.h"
#include "pipeline/store/store.h"

namespace swage {

/// `points` must outlive it.
std::unique_ptr<Store> WithCrashPoints(std::unique_ptr<Store> inner, CrashPoints& points);

}  // namespace swage
