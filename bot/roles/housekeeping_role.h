// The recurring duties that one node does for all: each is a file of pipeline/maintenance, added in
// the constructor.
#pragma once

#include "bot/roles/node_role.h"
#include "pipeline/maintenance/housekeeper.h"

namespace swage {

class HousekeepingRole final : public NodeRole {
 public:
  explicit HousekeepingRole(NodeParts parts);
  std::string_view Name() const override { return kRoleHousekeeping; }
  Result<void> Start() override;
  void BeginStop() override { housekeeper_.BeginStop(); }
  void Stop() override { housekeeper_.Stop(); }
  Result<void> Health() const override { return housekeeper_.Health(); }

 private:
  void AddReconcile();
  /// There may be something new for every role.
  void Wake();

  NodeParts parts_;
  Housekeeper housekeeper_;  // stops before the parts that its duties use
};

}  // namespace swage
