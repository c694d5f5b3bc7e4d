// LimitedRunner: what a task may take, put on every command that it runs.
//
// Agents, gates and hooks say nothing of limits; whoever runs a task knows them. A command that
// brings limits of its own keeps the stricter ones. Thread-safe, as the runner behind it.
#pragma once

#include <string>
#include <vector>

#include "config/base/process.h"

namespace swage {

class LimitedRunner final : public ProcessRunner {
 public:
  /// `disk_roots` are the task's folders; `inner` outlives this.
  LimitedRunner(ProcessRunner& inner, const ResourceLimits& limits,
                std::vector<std::string> disk_roots)
      : inner_(inner), limits_(limits), disk_roots_(std::move(disk_roots)) {}

  Result<ProcessResult> Run(const ProcessSpec& spec, const Sink& sink,
                            std::stop_token stop) override;

 private:
  ProcessRunner& inner_;
  const ResourceLimits limits_;
  const std::vector<std::string> disk_roots_;
};

}  // namespace swage
