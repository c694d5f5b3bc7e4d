#include "pipeline/maintenance/level_keeper.h"

#include "pipeline/isolation/supply.h"

namespace swage {

Result<void> LevelKeeper::RunOnce(std::stop_token) {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<NodeInfo> nodes, store_.ListNodes());
  LevelSupply supply = SupplyOf(nodes, alive_);
  // A node that starts again is back by the next round: nobody need hear of it.
  for (const IsolationLevel level : kIsolationLevels) {
    if (given_before_.Has(level)) supply.why_not.erase(level);
  }
  given_before_ = supply.given;
  SWAGE_ASSIGN_OR_RETURN(const SettledLevels settled, store_.SettleLevels(supply));
  for (const TaskId task : settled.parked) {
    log_.Warn("no node can give this task's level of isolation; it waits", {{"task_id", task}});
  }
  for (const TaskId task : settled.released) {
    log_.Info("there is a node for this task's level of isolation", {{"task_id", task}});
  }
  return Ok();
}

}  // namespace swage
