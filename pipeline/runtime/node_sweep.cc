#include "pipeline/runtime/node_sweep.h"

namespace swage {

Result<void> NodeSweep::RunOnce(std::stop_token) {
  if (!keep_workspaces_) {
    SWAGE_ASSIGN_OR_RETURN(const auto removed, workspaces_.SweepOrphans({}));
    if (!removed.empty()) {
      log_.Info("removed workspaces that no task holds", {{"count", removed.size()}});
    }
  }
  SWAGE_ASSIGN_OR_RETURN(const int swept, runtimes_.SweepOrphans());
  if (swept > 0) log_.Info("removed databases and caches that no task holds", {{"count", swept}});
  return Ok();
}

}  // namespace swage
