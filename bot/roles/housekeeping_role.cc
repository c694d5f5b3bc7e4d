#include "bot/roles/housekeeping_role.h"

#include <utility>

#include "pipeline/reconcile/reconcile.h"

namespace swage {

HousekeepingRole::HousekeepingRole(NodeParts parts)
    : parts_(std::move(parts)), housekeeper_(parts_.holds, parts_.log) {
  if (parts_.settings.intake != "webhook") AddReconcile();
}

void HousekeepingRole::AddReconcile() {
  PollHooks hooks;
  hooks.on_applied = [this] {
    parts_.hints.Give(HintTopic::kDeliveries);
    parts_.hints.Give(HintTopic::kTasks);
    parts_.hints.Give(HintTopic::kEffects);
  };
  hooks.on_cancelled = [this](TaskId task) { parts_.hints.Cancelled(task); };
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
