// `swage serve`: the process around a Service, from its settings to its last signal.
#pragma once

#include "bot/cli.h"
#include "bot/service.h"

namespace swage {

/// Runs until SIGTERM or SIGINT. Returns the exit code.
int RunServe(const ServeOptions& options, const Concretes& concretes);

}  // namespace swage
