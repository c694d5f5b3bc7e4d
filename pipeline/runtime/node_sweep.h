// NodeSweep: removes what no task of this node holds any more: workspaces, databases, old caches,
// and in the mirrors the branches of tasks that are over and whose work is pushed or merged (C11).
// At the start of a worker that is what an earlier life left; later what a failed removal did.
#pragma once

#include "config/base/log.h"
#include "pipeline/maintenance/duty.h"
#include "pipeline/runtime/task_runtime.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

class NodeSweep final : public Duty {
 public:
  static constexpr std::chrono::minutes kEvery{10};

  static constexpr int kMaxTasks = 200;  ///< the newest of each state; older ones are done

  /// With `keep_workspaces` those stay: a sweep cannot tell kept from orphaned.
  NodeSweep(Store& store, Workspaces& workspaces, TaskRuntimes& runtimes, bool keep_workspaces,
            Log& log)
      : store_(store),
        workspaces_(workspaces),
        runtimes_(runtimes),
        keep_workspaces_(keep_workspaces),
        log_(log) {}

  std::string_view Name() const override { return "sweep-node"; }
  Result<void> RunOnce(std::stop_token stop) override;

 private:
  Result<void> ForgetBranches(std::stop_token stop);

  Store& store_;
  Workspaces& workspaces_;
  TaskRuntimes& runtimes_;
  const bool keep_workspaces_;
  Log& log_;
};

}  // namespace swage
