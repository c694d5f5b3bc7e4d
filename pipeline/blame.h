// Whose fault a failure at a forge is. Pure.
#pragma once

#include "config/base/result.h"

namespace swage {

/// The forge's state, not the request's: what met it is tried again once the forge takes it again,
/// and does not count as an attempt.
bool IsTheForgesFault(const Error& error);

/// Part of it: everything is refused in one repository until a person lifts that, and the forge as
/// a whole is well.
bool IsLockedOut(const Error& error);

}  // namespace swage
