// TaskCommands: the runner of one task's commands, enclosed at its level, held to its limits, and
// with a way to the hosts it may reach.
//
// Made when the task is provisioned, gone before its files go. The way out is there only at levels
// that keep the network from commands (sandbox, container); at the others EgressList means nothing.
// Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipeline/isolation/egress.h"
#include "pipeline/isolation/egress_proxy.h"
#include "pipeline/isolation/isolation.h"
#include "pipeline/isolation/limited_runner.h"

namespace swage {

struct TaskAllowance {
  ResourceLimits limits;
  EgressList egress;
};

class TaskCommands {
 public:
  /// `level` and `resolver` outlive it. Errors: as Isolation::Enclose, and kInternal.
  static Result<std::unique_ptr<TaskCommands>> Open(Isolation& level, Cell cell,
                                                    TaskAllowance allowance,
                                                    HostResolver& resolver);

  ProcessRunner& Runner() { return *limited_; }
  /// What was asked for in vain so far.
  const EgressRecord& Egress() const { return record_; }

 private:
  TaskCommands() = default;

  EgressRecord record_;
  std::unique_ptr<EgressProxy> proxy_;
  std::unique_ptr<ProcessRunner> enclosure_;
  std::unique_ptr<LimitedRunner> limited_;
};

}  // namespace swage
