#include "bot/roles/housekeeping_role.h"

#include <utility>

#include "pipeline/lease_keeper.h"
#include "pipeline/maintenance/age_checkpoints.h"
#include "pipeline/maintenance/base_watch.h"
#include "pipeline/maintenance/dependency_watch.h"
#include "pipeline/maintenance/level_keeper.h"
#include "pipeline/maintenance/presence.h"
#include "pipeline/maintenance/seal_audit.h"
#include "pipeline/reconcile/reconcile.h"
#include "pipeline/takeover.h"

namespace swage {
namespace {

constexpr std::chrono::hours kReapNodes{1};

}  // namespace

HousekeepingRole::HousekeepingRole(NodeParts parts)
    : parts_(std::move(parts)), housekeeper_(parts_.holds, parts_.log) {
  housekeeper_.Add({std::make_unique<NodeReaper>(parts_.store), kReapNodes});
  const std::chrono::milliseconds lease = parts_.settings.node.lease;
  housekeeper_.Add({std::make_unique<LevelKeeper>(parts_.store, parts_.log, lease),
                    LeaseTimes(lease).heartbeat});
  housekeeper_.Add({std::make_unique<AgeCheckpoints>(parts_.store, parts_.settings.checkpoint_age),
                    AgeCheckpoints::kEvery});
  housekeeper_.Add({.duty = std::make_unique<SealAudit>(parts_.store, parts_.log, parts_.clock),
                    .every = SealAudit::kEvery,
                    .single = true,
                    .last_round = true});
  housekeeper_.Add(
      {.duty = std::make_unique<BaseWatch>(parts_.store, parts_.workspaces, parts_.forges,
                                           parts_.settings.command_prefix, parts_.log),
       .every = parts_.settings.poll_interval * BaseWatch::kPolls});
  housekeeper_.Add({.duty = std::make_unique<DependencyWatch>(parts_.store, parts_.forges,
                                                              parts_.log, [this] { Wake(); }),
                    .every = parts_.settings.poll_interval});
  if (parts_.settings.intake != "webhook") AddReconcile();
}

void HousekeepingRole::Wake() {
  parts_.hints.Give(HintTopic::kDeliveries);
  parts_.hints.Give(HintTopic::kTasks);
  parts_.hints.Give(HintTopic::kEffects);
}

void HousekeepingRole::AddReconcile() {
  PollHooks hooks;
  hooks.on_applied = [this] { Wake(); };
  hooks.on_cancelled = [this](TaskId task) { parts_.hints.Cancelled(task); };
  hooks.is_own = [this](Forge& forge, const Task& task, std::stop_token stop) -> Result<bool> {
    SWAGE_ASSIGN_OR_RETURN(const auto head,
                           FindOwnHead(parts_.workspaces, forge, task, task.base_branch,
                                       parts_.settings.commit_email, std::move(stop)));
    return head.has_value();
  };
  housekeeper_.Add(
      {.duty = std::make_unique<Reconcile>(parts_.store, parts_.forges, parts_.settings,
                                           parts_.clock, parts_.log, std::move(hooks)),
       .every = parts_.settings.poll_interval});
}

Result<void> HousekeepingRole::Start() {
  housekeeper_.Start();
  return Ok();
}

}  // namespace swage
