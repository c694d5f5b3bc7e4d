#include "pipeline/hook_step.h"

#include <fmt/format.h>

#include "config/base/text.h"
#include "pipeline/messages.h"
#include "pipeline/step_log.h"

namespace swage {
namespace {

constexpr std::size_t kSummaryBytes = 500;

std::string LogNameOf(const HookStep& hook, std::string_view point) {
  if (hook.cycle == 0) return fmt::format("run{}-hook-{}", hook.task.run, point);
  return fmt::format("run{}-cycle{}-hook-{}", hook.task.run, hook.cycle, point);
}

Result<std::int64_t> Start(const HookStep& hook, std::string_view point, const StepLog& log) {
  Step step;
  step.task = hook.task.id;
  step.run = hook.task.run;
  step.cycle = hook.cycle;
  step.kind = StepKind::kProvision;
  step.name = fmt::format("hook {}", point);
  step.log_path = log.RelativePath();
  return hook.store.StartStep(*hook.lease, step);
}

}  // namespace

Result<void> RunHookStep(const HookStep& hook, ProcessRunner& runner, std::string_view point,
                         const std::vector<HookSpec>& hooks, const CommandContext& context,
                         std::stop_token stop) {
  if (hooks.empty()) return Ok();
  SWAGE_ASSIGN_OR_RETURN(StepLog log, StepLog::Open(hook.data_dir, hook.task.id,
                                                    LogNameOf(hook, point), hook.redactor));
  std::int64_t id = 0;
  if (hook.lease != nullptr) {
    SWAGE_ASSIGN_OR_RETURN(id, Start(hook, point, log));
  }
  const auto ran = RunHooks(
      runner, point, hooks, context, [&](std::string_view bytes) { log.Append(bytes); }, stop);
  log.Flush();
  // Whoever stopped it says what becomes of its steps.
  if (!ran.ok() && ran.error().code != ErrorCode::kUnavailable) return ran;
  if (hook.lease != nullptr) {
    const std::string summary =
        ran.ok() ? "" : Truncate(hook.redactor.Apply(ran.error().message), kSummaryBytes);
    SWAGE_RETURN_IF_ERROR(
        hook.store.FinishStep(*hook.lease, id, ran.ok() ? "ok" : "failed", summary, {}));
  }
  if (ran.ok()) return Ok();
  return MakeError(ran.error().code, messages::WithLog(ran.error().message, log.RelativePath()));
}

}  // namespace swage
