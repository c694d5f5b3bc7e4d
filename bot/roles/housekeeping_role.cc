#include "bot/roles/housekeeping_role.h"

#include <utility>

namespace swage {

HousekeepingRole::HousekeepingRole(NodeParts parts)
    : parts_(std::move(parts)), housekeeper_(parts_.holds, parts_.log) {}

Result<void> HousekeepingRole::Start() {
  housekeeper_.Start();
  return Ok();
}

}  // namespace swage
