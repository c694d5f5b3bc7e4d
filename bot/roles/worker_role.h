// Runs tasks: claims them, gives each an agent and gates, writes down what came of it.
#pragma once

#include <memory>

#include "bot/roles/node_role.h"
#include "config/base/files.h"
#include "config/base/wakeup.h"
#include "pipeline/agent.h"
#include "pipeline/maintenance/housekeeper.h"
#include "pipeline/runtime/task_runtime.h"
#include "pipeline/scheduler.h"

namespace swage {

class WorkerRole final : public NodeRole {
 public:
  /// Checks git and the agent's command. Errors: kInvalid, kNotFound.
  static Result<std::unique_ptr<WorkerRole>> Create(NodeParts parts);
  std::string_view Name() const override { return kRoleWorker; }
  Result<void> Start() override;
  /// Lets runs go on, so that they end well or are stopped by people.
  void Drain(std::chrono::milliseconds limit) override;
  void BeginStop() override;
  void Stop() override;
  Result<void> Health() const override;

 private:
  WorkerRole(NodeParts parts, std::unique_ptr<Agent> agent);
  void AddDuties();

  NodeParts parts_;
  Fd directory_;  ///< holds the lock of settings.data_dir
  std::unique_ptr<Agent> agent_;
  TaskRuntimes runtimes_;
  Wakeup run_ended_;
  Scheduler scheduler_;
  Housekeeper duties_;  // last: they speak to the scheduler
};

}  // namespace swage
