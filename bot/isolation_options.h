// What the settings say about the levels, in the terms of the levels' makers.
#pragma once

#include "config/settings.h"
#include "pipeline/isolation/levels.h"

namespace swage {

/// Errors: kNotFound (a helper program is not beside this one).
Result<IsolationOptions> IsolationOptionsOf(const Settings& settings);

}  // namespace swage
