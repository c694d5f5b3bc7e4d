// LimitedRunner: what a task may take, put on every command that it runs, and where those that may
// use the network find it.
//
// Agents, gates and hooks say nothing of either; whoever runs a task knows. A command that
// brings limits of its own keeps the stricter ones. Thread-safe, as the runner behind it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/base/process.h"

namespace swage {

class LimitedRunner final : public ProcessRunner {
 public:
  /// `disk_roots` are the task's folders; `door` are the variables of commands that may use the
  /// network (NetworkUse::kAllowList). `inner` outlives this.
  LimitedRunner(ProcessRunner& inner, const ResourceLimits& limits,
                std::vector<std::string> disk_roots, std::map<std::string, std::string> door = {})
      : inner_(inner),
        limits_(limits),
        disk_roots_(std::move(disk_roots)),
        door_(std::move(door)) {}

  Result<ProcessResult> Run(const ProcessSpec& spec, const Sink& sink,
                            std::stop_token stop) override;

 private:
  ProcessRunner& inner_;
  const ResourceLimits limits_;
  const std::vector<std::string> disk_roots_;
  const std::map<std::string, std::string> door_;
};

}  // namespace swage
