#include "bot/roles/housekeeping_role.h"

#include <utility>

#include "pipeline/maintenance/presence.h"
#include "pipeline/maintenance/seal_audit.h"

namespace swage {
namespace {

constexpr std::chrono::hours kReapNodes{1};

}  // namespace

HousekeepingRole::HousekeepingRole(NodeParts parts)
    : parts_(std::move(parts)), housekeeper_(parts_.holds, parts_.log) {
  housekeeper_.Add({std::make_unique<NodeReaper>(parts_.store), kReapNodes});
  housekeeper_.Add({.duty = std::make_unique<SealAudit>(parts_.store, parts_.log, parts_.clock),
                    .every = SealAudit::kEvery,
                    .single = true,
                    .last_round = true});
}

Result<void> HousekeepingRole::Start() {
  housekeeper_.Start();
  return Ok();
}

}  // namespace swage
