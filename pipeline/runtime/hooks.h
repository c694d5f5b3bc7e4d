// Hooks: the operator's and the repository's commands at fixed points of a task (C9).
//
// They run inside the task's level, as gates do, and see what gates see but no secrets.
#pragma once

#include <stop_token>
#include <string_view>
#include <vector>

#include "config/base/process.h"
#include "config/runtime_settings.h"
#include "pipeline/gate.h"

namespace swage {

/// The server's, then the repository's.
std::vector<HookSpec> HooksAt(const HookSet& server, const HookSet& policy,
                              std::optional<HookSpec> HookSet::*point);

/// Runs them in order, up to the first that fails. `point` is "after_create", for messages and in
/// SWAGE_HOOK. Blocks for at most their timeouts. Errors: kUnavailable (it failed; the end of its
/// output is in the message), kCancelled, kInternal.
Result<void> RunHooks(ProcessRunner& runner, std::string_view point,
                      const std::vector<HookSpec>& hooks, const CommandContext& context,
                      const ProcessRunner::Sink& log, std::stop_token stop);

}  // namespace swage
