// A crash point after each step that changes a mirror, a workspace or a branch at the forge. See
// config/base/crash_point.h.
#pragma once

#include <memory>

#include "config/base/crash_point.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// `points` must outlive it.
std::unique_ptr<Workspaces> WithCrashPoints(std::unique_ptr<Workspaces> inner, CrashPoints& points);

}  // namespace swage
