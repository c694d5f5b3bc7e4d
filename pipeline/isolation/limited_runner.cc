#include "pipeline/isolation/limited_runner.h"

#include "config/base/limits.h"

namespace swage {

Result<ProcessResult> LimitedRunner::Run(const ProcessSpec& spec, const Sink& sink,
                                         std::stop_token stop) {
  ProcessSpec limited = spec;
  limited.limits = Stricter(spec.limits, limits_);
  if (limited.disk_roots.empty()) limited.disk_roots = disk_roots_;
  if (spec.network == NetworkUse::kAllowList) {
    for (const auto& [name, value] : door_) limited.env[name] = value;
  }
  return inner_.Run(limited, sink, std::move(stop));
}

}  // namespace swage
