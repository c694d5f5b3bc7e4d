#include "pipeline/runtime/hooks.h"

#include <fmt/format.h>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kOutputCap = 16 << 20;
constexpr std::size_t kTailBytes = 1 << 10;

Result<void> RunHook(ProcessRunner& runner, std::string_view point, const HookSpec& hook,
                     const CommandContext& context, const ProcessRunner::Sink& log,
                     std::stop_token stop) {
  ProcessSpec spec;
  spec.argv = hook.run;
  spec.env = context.env;
  spec.env["SWAGE_HOOK"] = point;
  spec.cwd = context.workspace.string();
  spec.time_limit = hook.timeout;
  spec.network = NetworkUse::kAllowList;  // they fetch what gates need
  spec.output_cap = kOutputCap;
  std::string tail;
  const auto sink = [&](std::string_view bytes) {
    tail += bytes.substr(bytes.size() - std::min(bytes.size(), kTailBytes));
    if (tail.size() > kTailBytes) tail.erase(0, tail.size() - kTailBytes);
    if (log) log(bytes);
  };
  const auto ran = runner.Run(spec, sink, stop);
  const auto failed = [&](std::string_view how) {
    return MakeError(ErrorCode::kUnavailable, fmt::format("the hook {} failed: {}", point, how));
  };
  if (!ran.ok() && ran.error().code == ErrorCode::kNotFound) return failed(ran.error().message);
  if (!ran.ok()) return ran.error().With(fmt::format("hook {}", point));
  if (ran->end == ProcessEnd::kStopped) {
    return MakeError(ErrorCode::kCancelled, fmt::format("the hook {} was stopped", point));
  }
  if (ran->Succeeded()) return Ok();
  const std::string words(Trim(ToValidUtf8(StripControl(ToValidUtf8(tail)))));
  return failed(words.empty() ? ran->Describe()
                              : fmt::format("{}; it ended with: {}", ran->Describe(), words));
}

}  // namespace

std::vector<HookSpec> HooksAt(const HookSet& server, const HookSet& policy,
                              std::optional<HookSpec> HookSet::*point) {
  std::vector<HookSpec> hooks;
  for (const HookSet* set : {&server, &policy}) {
    if (const auto& hook = set->*point) hooks.push_back(*hook);
  }
  return hooks;
}

Result<void> RunHooks(ProcessRunner& runner, std::string_view point,
                      const std::vector<HookSpec>& hooks, const CommandContext& context,
                      const ProcessRunner::Sink& log, std::stop_token stop) {
  for (const HookSpec& hook : hooks) {
    SWAGE_RETURN_IF_ERROR(RunHook(runner, point, hook, context, log, stop));
  }
  return Ok();
}

}  // namespace swage
