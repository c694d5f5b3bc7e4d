// HookStep: a hook as a step of its task, with a log that people find where they find those of
// gates: on the task's page, and by its path in what a failure says.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string_view>
#include <vector>

#include "config/base/redact.h"
#include "pipeline/runtime/hooks.h"
#include "pipeline/store/store.h"

namespace swage {

/// Whose hook it is. All that it refers to outlives the call.
struct HookStep {
  Store& store;
  const Lease* lease;  ///< null: the run has its result, and nothing is added to its steps
  const Task& task;
  int cycle;  ///< 0: before the first one, or after the last
  const std::filesystem::path& data_dir;
  const Redactor& redactor;
};

/// As RunHooks; an error of kUnavailable names the log. Nothing happens without hooks.
Result<void> RunHookStep(const HookStep& step, ProcessRunner& runner, std::string_view point,
                         const std::vector<HookSpec>& hooks, const CommandContext& context,
                         std::stop_token stop);

}  // namespace swage
