// The worker's part in what a task has beside its files: see runtime/task_runtime.h.
#include <fmt/format.h>

#include <algorithm>

#include "config/repo_allow.h"
#include "pipeline/hook_step.h"
#include "pipeline/step_log.h"
#include "pipeline/worker.h"
#include "pipeline/workspace/include.h"

namespace swage {
namespace {

LevelTraits TraitsOf(const Isolation& level) {
  const Ability& here = level.Here();
  return {level.Owner(), here.Gives(Guarantee::kNoWriteOutside),
          !here.Gives(Guarantee::kNoNetwork)};
}

}  // namespace

Result<std::unique_ptr<TaskRuntime>> Worker::PrepareRuntime(const Task& task, const Ground& ground,
                                                            std::stop_token stop) {
  if (context_.runtimes == nullptr) return std::unique_ptr<TaskRuntime>();
  return WithPatience(task.id, stop,
                      [&] { return context_.runtimes->Prepare(task, ground.policy); });
}

// The patterns are those of the base branch, the folder is the operator's: the task has a say in
// neither.
Result<std::optional<IncludeSpec>> Worker::FindIncludes(const Task& task, const Ground& ground) {
  const auto& includes = context_.settings.includes;
  auto folder = includes.find(task.repo.path);
  if (folder == includes.end()) {
    folder = std::ranges::find_if(
        includes, [&](const auto& entry) { return IsRepoAllowed({entry.first}, task.repo.path); });
  }
  if (folder == includes.end()) return std::optional<IncludeSpec>();
  const auto patterns = context_.workspaces.ReadCommitted(task.repo, ground.base, kIncludeFile);
  if (patterns.ok()) return std::optional(IncludeSpec{folder->second, *patterns});
  if (patterns.error().code == ErrorCode::kNotFound) return std::optional<IncludeSpec>();
  return patterns.error();
}

Result<CommandContext> Worker::Furnish(Workspace& workspace, const Isolation& level,
                                       TaskRuntime* runtime) {
  CommandContext commands = workspace.Commands();
  if (runtime == nullptr) return commands;
  SWAGE_RETURN_IF_ERROR(runtime->Furnish(commands, TraitsOf(level)));
  std::ranges::copy(runtime->Shares(), std::back_inserter(commands.shares));
  return runtime->Environments().ForHook(std::move(commands));
}

Result<void> Worker::SetUp(const Claimed& claimed, const Ground& ground, ProcessRunner& enclosure,
                           const CommandContext& commands, TaskRuntime* runtime,
                           std::stop_token stop) {
  const Task& task = claimed.task;
  // Later in a task its agent has had its hands on the files.
  if (runtime != nullptr && task.checkpoint.value.empty() && runtime->HasDueCaches()) {
    SWAGE_ASSIGN_OR_RETURN(
        StepLog log, StepLog::Open(context_.settings.data_dir, task.id,
                                   fmt::format("run{}-hook-warm", task.run), context_.redactor));
    runtime->Warm(
        enclosure, commands, [&](std::string_view bytes) { log.Append(bytes); }, stop);
  }
  return RunHookStep(
      {context_.store, &claimed.lease, task, 0, context_.settings.data_dir, context_.redactor},
      enclosure, "after_create",
      HooksAt(context_.settings.hooks, ground.policy.hooks, &HookSet::after_create), commands,
      std::move(stop));
}

// The run has its result, whatever becomes of this.
void Worker::BeforeRemove(const Task& task, const Ground& ground, ProcessRunner& enclosure,
                          const CommandContext& commands, std::stop_token stop) {
  if (context_.settings.keep_workspaces || stop.stop_requested()) return;
  const auto ran =
      RunHookStep({context_.store, nullptr, task, 0, context_.settings.data_dir, context_.redactor},
                  enclosure, "before_remove",
                  HooksAt(context_.settings.hooks, ground.policy.hooks, &HookSet::before_remove),
                  commands, std::move(stop));
  if (ran.ok()) return;
  context_.log.Warn("before_remove", {{"task_id", task.id},
                                      {"error", context_.redactor.Apply(ran.error().message)}});
}

}  // namespace swage
