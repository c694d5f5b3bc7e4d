// What becomes of tasks when the bot's access to repositories is suspended, taken away or given
// back: they wait, saying why and what to do, and go on when it is there again. Pure.
#pragma once

#include <vector>

#include "pipeline/intake.h"

namespace swage::intake {

/// `tasks`: those at the event's forge that are queued, running or waiting.
IntakePlan DecideAccess(const AccessChanged& event, const std::vector<Task>& tasks);

}  // namespace swage::intake
