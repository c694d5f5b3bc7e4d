// What the settings say about the levels, in the terms of the levels' makers.
#pragma once

#include "config/settings.h"
#include "pipeline/isolation/levels.h"

namespace swage {

class CommandGroups;

/// `groups` may be null, as for the runner of the commands. Errors: kNotFound (a helper program is
/// not beside this one).
Result<IsolationOptions> IsolationOptionsOf(const Settings& settings, const CommandGroups* groups);

}  // namespace swage
