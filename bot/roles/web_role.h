// The pages. Webhooks come in through the server that every node has for its health (see Service).
#pragma once

#include "bot/dashboard/dashboard.h"
#include "bot/roles/node_role.h"

namespace swage {

class WebRole final : public NodeRole {
 public:
  explicit WebRole(const NodeParts& parts);
  std::string_view Name() const override { return kRoleWeb; }
  Result<void> Start() override { return dashboard_.Start(); }
  void BeginStop() override {}
  void Stop() override { dashboard_.Stop(); }
  Result<void> Health() const override { return Ok(); }
  int Port() const { return dashboard_.Port(); }

 private:
  Dashboard dashboard_;
};

}  // namespace swage
