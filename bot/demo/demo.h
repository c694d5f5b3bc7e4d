// Demo: the main job in a box. A sandbox forge, a repository with a bug, a real `swage serve`, and
// somebody who labels the issue; prints what happens as it happens.
//
// Only the forge is a stand-in (and, with the scripted agent, the model): the server is a child
// process started from a configuration file that is left on disk to be read.
#pragma once

#include "bot/cli.h"

namespace swage {

/// `swage demo`. Blocks until the pull request is there and green (--once) or until SIGINT/SIGTERM.
/// Returns the exit code: 0 only when the task reached review with all required gates green.
int RunDemo(const DemoOptions& options);

}  // namespace swage
